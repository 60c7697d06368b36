import { BUILT_IN } from "../../../src/model/models.ts";
import { DeclaredFamilies } from "../../../src/telemetry/metrics/declared-metrics.ts";
import { processFamilies } from "../../../src/telemetry/metrics/families/processes.ts";
import type { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

/**
 * Returns the names of all series of a server, those of the supervisor of several processes and those that the built-in
 * models declare included.
 */
export function allMetricNames(): string[] {
  const { registry } = new ServerMetrics();
  processFamilies(registry);
  const families = new DeclaredFamilies(registry);
  for (const { metrics = {} } of BUILT_IN.values()) {
    for (const [name, declaration] of Object.entries(metrics)) families.declare(name, declaration);
  }
  return metricNames(registry);
}

/** Returns the names of all series of the registered metrics. A histogram has three. */
export function metricNames(registry: MetricRegistry): string[] {
  return registry.collect().flatMap(({ type, family }) => {
    const { name } = family.definition;
    return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  });
}

/** Removes the suffix of a histogram's series: returns the name of the metric. */
export function baseName(series: string): string {
  return series.replace(/_(?:bucket|sum|count)$/, "");
}

/**
 * Returns the names of series in an expression: words with a separator, or `up`, that are neither functions nor label
 * names.
 */
export function recordedNames(expression: string): string[] {
  const plain = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{[^}]*\}/g, "")
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, "");
  const words = plain.matchAll(/(?<![\w:.])([a-z][a-z0-9]*(?:[_:][a-z0-9_:]+)+|up)\b(?!\s*\()/g);
  return [...new Set([...words].map(([, name = ""]) => name))];
}
