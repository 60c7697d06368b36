import type { Registry } from "prom-client";

import type { MetricSnapshot } from "./metric-snapshot.ts";

/** Metrics of the process, shared by all its servers. */
let registry: Registry | undefined;

/** Returns prom-client's default metrics without the `nodejs_` ones, whose names promtool rejects. */
export async function takeProcessSnapshot(): Promise<MetricSnapshot[]> {
  registry ??= await openRegistry();
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type, values }) => {
    return { name, help, type: type as unknown as MetricSnapshot["type"], samples: values };
  });
}

async function openRegistry(): Promise<Registry> {
  // Loaded by the first request, so that the server starts faster.
  const client = await import("prom-client");
  const opened = new client.Registry();
  // prom-client always watches the event loop; 1 s is rare enough to cost nothing. Our own measurement is in
  // runtime-monitor.ts.
  client.collectDefaultMetrics({ register: opened, eventLoopMonitoringPrecision: 1_000 });
  for (const { name } of opened.getMetricsAsArray()) {
    // On Linux this is all address space that the JavaScript engine has reserved, not memory in use.
    if (!name.startsWith("process_") || name === "process_heap_bytes") opened.removeSingleMetric(name);
  }
  return opened;
}
