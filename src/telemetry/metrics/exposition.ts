import type * as PromClient from "prom-client";
import type { Metric as PromMetric, Registry } from "prom-client";

import type { MetricRegistry } from "./metric-registry.ts";

type Format = "text/plain; version=0.0.4; charset=utf-8" | "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TEXT: Format = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: Format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OPEN_METRICS_END = "# EOF\n";

export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Metrics of the process, shared by all its servers. One registry a format: prom-client 15.1 renames counters for
 * OpenMetrics.
 */
const processRegistries = new Map<Format, Registry>();

/**
 * Renders the metrics in the exposition format of Prometheus, or as OpenMetrics, which has exemplars, for clients that
 * accept it.
 * @param accept value of the request header `Accept`
 */
export async function renderMetrics(registry: MetricRegistry, accept: string | null): Promise<RenderedMetrics> {
  const format = accept?.includes("application/openmetrics-text") === true ? OPEN_METRICS : TEXT;
  // Loaded by the first request, so that the server starts faster.
  const client = await import("prom-client");
  const target = new client.Registry<Format>();
  target.setContentType(format);
  for (const { type, family } of registry.collect()) {
    const { name, help } = family.definition;
    const metric = { name, help, type, values: family.samples(), get: () => Promise.resolve(metric) };
    // prom-client uses no more than these members when it renders a metric.
    target.registerMetric(metric as unknown as PromMetric);
  }
  const ours = await target.metrics();
  const ofProcess = await processRegistry(client, format).metrics();
  return { contentType: format, body: ours.replace(OPEN_METRICS_END, "") + ofProcess };
}

/** prom-client's default metrics without the `nodejs_` ones, whose names promtool rejects. */
function processRegistry(client: typeof PromClient, format: Format): Registry {
  let registry = processRegistries.get(format);
  if (registry === undefined) {
    registry = new client.Registry();
    // prom-client always watches the event loop; 1 s is rare enough to cost nothing. Our own measurement is in
    // runtime-monitor.ts.
    client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 });
    for (const { name } of registry.getMetricsAsArray()) {
      // On Linux this is all address space that the JavaScript engine has reserved, not memory in use.
      if (!name.startsWith("process_") || name === "process_heap_bytes") registry.removeSingleMetric(name);
    }
    registry.setContentType(format as Registry["contentType"]);
    processRegistries.set(format, registry);
  }
  return registry;
}
