import type { ScrapedMetrics } from "../scraped-metrics.ts";
import type { Item } from "./program.ts";

type Sample = ScrapedMetrics["samples"][number];

/** Metric families: kind, labels, values of each label, bounds of each histogram. */
export function metricItems({ text, samples }: ScrapedMetrics): Item[] {
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return families.flatMap(([, family = "", kind = ""]): Item[] => {
    const own = samples.filter(({ name }) => name === family || (kind === "histogram" && isPart(name, family)));
    const labels = labelValues(own);
    const isBuild = family === "streamer_build_info";
    return [
      [`metric ${family}`, `${kind}; labels ${[...labels.keys()].sort().join(", ") || "none"}`],
      ...[...labels].map(([label, values]): Item => {
        return [`metric ${family}{${label}}`, isBuild ? "a version" : [...values].sort().join(", ")];
      }),
      ...[...bounds(own)].map(([series, ends]): Item => [`metric ${family}_bucket${series}`, ends.join(" ")]),
    ];
  });
}

function isPart(name: string, family: string): boolean {
  return name.startsWith(family) && /^_(?:bucket|sum|count)$/.test(name.slice(family.length));
}

function labelValues(samples: readonly Sample[]): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>();
  for (const { labels } of samples) {
    for (const [label, value] of Object.entries(labels)) {
      if (label !== "le") values.set(label, (values.get(label) ?? new Set()).add(value));
    }
  }
  return values;
}

/** The upper ends of the buckets, by the labels of the series. */
function bounds(samples: readonly Sample[]): Map<string, string[]> {
  const ends = new Map<string, string[]>();
  for (const { labels } of samples) {
    const { le, ...others } = labels;
    if (le === undefined) continue;
    const pairs = Object.entries(others).map(([label, value]) => `${label}=${value}`);
    const series = pairs.length > 0 ? `{${pairs.sort().join(",")}}` : "";
    ends.set(series, [...(ends.get(series) ?? []), le]);
  }
  return ends;
}
