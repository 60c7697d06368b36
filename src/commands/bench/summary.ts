import type { LoadResult } from "./load.ts";
import type { Counts } from "./tally.ts";

/** A process of the generator that is busier than this, in cores, may be the bottleneck. */
const BUSY_CORES = 0.9;
/** The same if more than this share of the messages was sent a whole message time late. */
const LATE_SHARE = 0.001;

/** Latencies in milliseconds, nearest rank. */
export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The result of a run. Its field names are those of the JSON output. */
export interface Summary {
  /** Less than planned if all streams ended before. */
  readonly counted_seconds: number;
  readonly streams: { offered: number; admitted: number; refused: number; stopped: number; open: number };
  readonly refusals: Counts;
  /** Milliseconds. `final` counts from the message with the deciding sample, `end_of_speech` from that with the end. */
  readonly latency: Readonly<
    Record<"connect" | "start" | "refusal" | "final" | "end_of_speech" | "interim", Percentiles | null>
  >;
  readonly audio: { sent_seconds: number; final_seconds: number; missing_frames: number; failed_samples: number };
  /** Most milliseconds that due audio waited because the server did not read. */
  readonly max_held_ms: number;
  readonly errors: Counts;
  readonly warnings: Counts;
  readonly stop_reasons: Counts;
  readonly problems: Counts;
  readonly server: { cores: number | null; cpu_us_per_message: number | null; rss_bytes: number | null };
  readonly generator: { cores: number; busiest: number; messages: number; late: number; max_late_ms: number };
  /** True if the generator may have been slower than the server: latencies are then upper bounds. */
  readonly generator_limited: boolean;
}

/** Processor seconds of the server while counting, and its memory at the end. */
export interface ServerDelta {
  readonly cpuSeconds: number | undefined;
  readonly rssBytes: number | undefined;
}

export function summarise({ tally, generator, open, countedMs }: LoadResult, server: ServerDelta): Summary {
  const { cpuSeconds, rssBytes } = server;
  const refused = Object.values(tally.refusals).reduce((sum, times) => sum + times, 0);
  return {
    counted_seconds: round(countedMs / 1000),
    streams: { offered: tally.offered, admitted: tally.admitted, refused, stopped: tally.stopped, open },
    refusals: tally.refusals,
    latency: {
      connect: percentiles(tally.connects),
      start: percentiles(tally.starts),
      refusal: percentiles(tally.refusalTimes),
      final: percentiles(tally.finals),
      end_of_speech: percentiles(tally.speechEnds),
      interim: percentiles(tally.interims),
    },
    audio: {
      sent_seconds: round(tally.sentSeconds),
      final_seconds: round(tally.finalSeconds),
      missing_frames: tally.missing,
      failed_samples: tally.failed,
    },
    max_held_ms: round(tally.maxHeldMs),
    errors: tally.errors,
    warnings: tally.warnings,
    stop_reasons: tally.reasons,
    problems: tally.problems,
    server: {
      cores: cpuSeconds === undefined || countedMs === 0 ? null : round(cpuSeconds / (countedMs / 1000)),
      cpu_us_per_message:
        cpuSeconds === undefined || tally.messages === 0 ? null : round((cpuSeconds * 1e6) / tally.messages),
      rss_bytes: rssBytes ?? null,
    },
    generator: {
      cores: round(generator.cores),
      busiest: round(generator.busiest),
      messages: tally.messages,
      late: tally.late,
      max_late_ms: round(tally.maxLateMs),
    },
    generator_limited: generator.busiest > BUSY_CORES || tally.late > LATE_SHARE * tally.messages,
  };
}

export function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0);
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** Thresholds of a run; undefined: none. */
export interface Thresholds {
  /** Milliseconds, of `final`. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  /** Most streams that may be refused. */
  readonly maxRefused: number;
  /** Most errors that the server may report. */
  readonly maxErrors: number;
}

/** Returns a sentence for each threshold that the run exceeds, and for each promise that the server broke. */
export function violations(summary: Summary, { p50, p99, maxRefused, maxErrors }: Thresholds): string[] {
  const { streams, latency, audio, errors, problems } = summary;
  const found: string[] = [];
  for (const [name, limit] of [
    ["p50", p50],
    ["p99", p99],
  ] as const) {
    if (limit === undefined) continue;
    const value = latency.final?.[name];
    if (value === undefined) found.push(`final ${name}: no final results; allowed: ${limit} ms`);
    else if (value > limit) found.push(`final ${name}: found ${value} ms; allowed: ${limit} ms`);
  }
  const reported = Object.values(errors).reduce((sum, times) => sum + times, 0);
  if (streams.refused > maxRefused) found.push(`refused streams: found ${streams.refused}; allowed: ${maxRefused}`);
  if (reported > maxErrors) found.push(`errors: found ${reported}; allowed: ${maxErrors}`);
  if (streams.admitted === 0) found.push("no stream was admitted");
  if (streams.stopped < streams.admitted) {
    found.push(`${streams.admitted - streams.stopped} admitted streams did not end with stopped`);
  }
  if (audio.missing_frames > 0) found.push(`${audio.missing_frames} frames are missing from the ledgers`);
  for (const [text, times] of Object.entries(problems)) found.push(`${text}${times > 1 ? ` (${times} times)` : ""}`);
  return found;
}
