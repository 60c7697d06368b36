import type { MetricRegistry } from "../../../src/telemetry/metrics/metric-registry.ts";

/** The names under which Streamer's own metrics have series: a histogram has three. */
export function metricNames(registry: MetricRegistry): string[] {
  return registry.collect().flatMap(({ type, family }) => {
    const { name } = family.definition;
    return type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
  });
}

/** What has no histogram's ending: the name that a page would give it. */
export function baseName(series: string): string {
  return series.replace(/_(?:bucket|sum|count)$/, "");
}

/**
 * Names of series in an expression: words of more than one part that stand before neither `(` nor a label's `=`, and
 * not in `by (...)`.
 */
export function recordedNames(expression: string): string[] {
  const plain = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{[^}]*\}/g, "")
    .replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, "");
  const words = plain.matchAll(/(?<![\w:.])([a-z][a-z0-9]*(?:[_:][a-z0-9_:]+)+|up)\b(?!\s*\()/g);
  return [...new Set([...words].map(([, name = ""]) => name))];
}
