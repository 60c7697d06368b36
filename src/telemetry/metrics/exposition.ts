import type * as PromClient from "prom-client";
import type { Metric as PromMetric, Registry } from "prom-client";

import type { Metrics } from "./metrics.ts";

type Format = "text/plain; version=0.0.4; charset=utf-8" | "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TEXT: Format = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: Format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const END = "# EOF\n";

export interface Exposed {
  readonly contentType: string;
  readonly body: string;
}

/** One process has one set of these, whatever servers are in it. By format, since prom-client 15.1 renames counters for OpenMetrics. */
const processRegistries = new Map<Format, Registry>();

/**
 * The metrics as text: Prometheus' own format, or OpenMetrics, which has exemplars, for who accepts it.
 * @param accept the header of that name
 */
export async function expose(metrics: Metrics, accept: string | null): Promise<Exposed> {
  const format = accept?.includes("application/openmetrics-text") === true ? OPEN_METRICS : TEXT;
  // Loaded by the first who asks: a server starts faster without it.
  const client = await import("prom-client");
  const registry = new client.Registry<Format>();
  registry.setContentType(format);
  for (const { kind, family } of metrics.collect()) {
    const { name, help } = family.definition;
    const metric = { name, help, type: kind, values: family.values(), get: () => Promise.resolve(metric) };
    // prom-client asks of a metric no more than this when it writes it.
    registry.registerMetric(metric as unknown as PromMetric);
  }
  const own = await registry.metrics();
  const ofProcess = await processRegistry(client, format).metrics();
  return { contentType: format, body: own.replace(END, "") + ofProcess };
}

/** Processor, memory, files: what prom-client knows of every process, without its `nodejs_` names, which promtool objects to. */
function processRegistry(client: typeof PromClient, format: Format): Registry {
  let registry = processRegistries.get(format);
  if (registry === undefined) {
    registry = new client.Registry();
    // It watches the event loop, which is done elsewhere; so it should do it rarely.
    client.collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 });
    for (const { name } of registry.getMetricsAsArray()) {
      // What Linux counts as a process's data is all that the JavaScript engine has set addresses aside for.
      if (!name.startsWith("process_") || name === "process_heap_bytes") registry.removeSingleMetric(name);
    }
    registry.setContentType(format as Registry["contentType"]);
    processRegistries.set(format, registry);
  }
  return registry;
}
