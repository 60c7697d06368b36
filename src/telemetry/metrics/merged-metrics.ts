import type { Sample } from "./metric-family.ts";
import type { MetricSnapshot } from "./metric-snapshot.ts";

/** The metrics of one process. */
export interface ProcessSnapshot {
  /** Value of the label `process`, where a metric of several processes has one. */
  readonly process: string;
  readonly metrics: readonly MetricSnapshot[];
}

/**
 * How the values of several processes become one.
 * - sum: amounts add up.
 * - max: all processes report the same fact, or the highest value is that of the server.
 * - each: neither makes sense; every process keeps its own series, with the label `process`.
 * - scaled: an estimate that only processes with load have; those without are taken to be like their mean.
 */
type Rule = "sum" | "max" | "each" | "scaled";

/** Metrics that are not summed. */
const RULES: Readonly<Record<string, Rule | ((labels: Sample["labels"]) => Rule)>> = {
  streamer_ready: "max",
  streamer_build_info: "max",
  // Every process reads the same file.
  streamer_tokens: "max",
  streamer_token_file_refused: "max",
  streamer_event_loop_utilization_ratio: "each",
  // All processes share the processors and the limit of sessions; each has its part of everything else.
  streamer_capacity_streams: ({ resource }) => (resource === "processor" || resource === "sessions" ? "max" : "scaled"),
  process_start_time_seconds: "each",
  // A process that has no descriptors left is in need, whatever the others have.
  process_open_fds: "each",
  process_max_fds: "each",
};

/** Merges the metrics of several processes, in the order of their first appearance. */
export function mergeMetrics(processes: readonly ProcessSnapshot[]): MetricSnapshot[] {
  const merged = new Map<string, { metric: MetricSnapshot; series: Map<string, Series> }>();
  for (const { process, metrics } of processes) {
    for (const metric of metrics) {
      let entry = merged.get(metric.name);
      if (entry === undefined) merged.set(metric.name, (entry = { metric, series: new Map() }));
      for (const sample of metric.samples) {
        const rule = ruleOf(metric.name, sample.labels);
        addSample(entry.series, rule === "each" ? withProcess(sample, process) : sample, rule);
      }
    }
  }
  return [...merged.values()].map(({ metric, series }) => {
    return { ...metric, samples: [...series.values()].map(sampleOf) };
  });
}

/** Returns what stays true when a process has ended: its counters and histograms. */
export function withoutGauges(metrics: readonly MetricSnapshot[]): MetricSnapshot[] {
  return metrics.filter(({ type }) => type !== "gauge");
}

/** One series of all processes. */
interface Series {
  readonly rule: Rule;
  readonly values: number[];
  /** The sample with the newest exemplar. */
  sample: Sample;
}

function ruleOf(name: string, labels: Sample["labels"]): Rule {
  const rule = RULES[name] ?? "sum";
  return typeof rule === "string" ? rule : rule(labels);
}

function withProcess(sample: Sample, process: string): Sample {
  return { ...sample, labels: { ...sample.labels, process } };
}

function addSample(all: Map<string, Series>, sample: Sample, rule: Rule): void {
  const labels = Object.entries(sample.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([sample.metricName, labels]);
  const series = all.get(key);
  if (series === undefined) all.set(key, { rule, values: [sample.value], sample });
  else {
    series.values.push(sample.value);
    if (exemplarTime(sample) > exemplarTime(series.sample)) series.sample = sample;
  }
}

function exemplarTime({ exemplar }: Sample): number {
  return (exemplar as { timestamp?: number } | undefined)?.timestamp ?? 0;
}

function sampleOf({ rule, values, sample }: Series): Sample {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return { ...sample, value: Number.NaN };
  const sum = known.reduce((total, value) => total + value, 0);
  if (rule === "sum") return { ...sample, value: sum };
  return { ...sample, value: rule === "scaled" ? (sum / known.length) * values.length : Math.max(...known) };
}
