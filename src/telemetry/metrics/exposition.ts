import type { Metric as PromMetric, Registry } from "prom-client";

import type { MetricRegistry } from "./metric-registry.ts";
import { type MetricSnapshot, takeSnapshot } from "./metric-snapshot.ts";
import { takeProcessSnapshot } from "./process-metrics.ts";

type Format = "text/plain; version=0.0.4; charset=utf-8" | "application/openmetrics-text; version=1.0.0; charset=utf-8";

const TEXT: Format = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: Format = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export interface RenderedMetrics {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Renders the metrics of a server and of its process.
 * @param accept value of the request header `Accept`
 */
export async function renderMetrics(registry: MetricRegistry, accept: string | null): Promise<RenderedMetrics> {
  return await renderSnapshots([...takeSnapshot(registry), ...(await takeProcessSnapshot())], accept);
}

/**
 * Renders metrics in the exposition format of Prometheus, or as OpenMetrics, which has exemplars, for clients that
 * accept it.
 * @param accept value of the request header `Accept`
 */
export async function renderSnapshots(
  snapshots: readonly MetricSnapshot[],
  accept: string | null,
): Promise<RenderedMetrics> {
  const format = accept?.includes("application/openmetrics-text") === true ? OPEN_METRICS : TEXT;
  // Loaded by the first request, so that the server starts faster.
  const client = await import("prom-client");
  const target: Registry<Format> = new client.Registry<Format>();
  target.setContentType(format);
  for (const { name, help, type, samples } of snapshots) {
    // prom-client 15.1 renames counters for OpenMetrics, hence new objects each time.
    const metric = { name, help, type, values: samples, get: () => Promise.resolve(metric) };
    // prom-client uses no more than these members when it renders a metric.
    target.registerMetric(metric as unknown as PromMetric);
  }
  return { contentType: format, body: await target.metrics() };
}
