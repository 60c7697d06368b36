import type { Sample } from "./metric-family.ts";
import type { Metric, MetricRegistry } from "./metric-registry.ts";

/** The values of one metric at a moment: plain data, which can be sent to another process. */
export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly type: Metric["type"];
  /** Those of a histogram are cumulative buckets, with the sum and the count. */
  readonly samples: readonly Sample[];
}

/** Returns all metrics of a registry with up-to-date values. */
export function takeSnapshot(registry: MetricRegistry): MetricSnapshot[] {
  return registry.collect().map(({ type, family }) => {
    const { name, help } = family.definition;
    return { name, help, type, samples: family.samples() };
  });
}
