/** A sample of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples by the name of their metric. */
export type Samples = ReadonlyMap<string, readonly Sample[]>;

/**
 * Reads metrics in the text format of Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). Lines that are not understood are
 * left out.
 */
export function readExposition(text: string): Samples {
  const samples = new Map<string, Sample[]>();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const [, name = "", labels = "", value = ""] = match;
    const list = samples.get(name) ?? [];
    list.push({ labels: readLabels(labels), value: value === "+Inf" ? Infinity : Number(value) });
    samples.set(name, list);
  }
  return samples;
}

/** Returns the sum of all samples of a metric that have these labels; 0: there is none. */
export function sum(samples: Samples, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels);
  return (samples.get(name) ?? [])
    .filter((sample) => wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((total, { value }) => total + value, 0);
}

/**
 * Returns the value below which the share `quantile` of what has been observed between two readings lies, within the
 * bucket in proportion, as `histogram_quantile` of Prometheus does; undefined: nothing was observed.
 */
export function quantileBetween(before: Samples, now: Samples, name: string, quantile: number): number | undefined {
  const bounds = new Map<number, number>();
  const count = (samples: Samples, sign: 1 | -1): void => {
    for (const { labels, value } of samples.get(`${name}_bucket`) ?? []) {
      const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
      bounds.set(bound, (bounds.get(bound) ?? 0) + sign * value);
    }
  };
  count(now, 1);
  count(before, -1);
  const buckets = [...bounds].sort(([a], [b]) => a - b);
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = quantile * total;
  const index = buckets.findIndex(([, below]) => below >= rank);
  const [bound, below] = buckets[index]!;
  const [lower, belowLower] = buckets[index - 1] ?? [0, 0];
  if (bound === Infinity) return lower;
  return below === belowLower ? bound : lower + ((bound - lower) * (rank - belowLower)) / (below - belowLower);
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}
