import { formatCount, formatNumber } from "../terminal/numbers.ts";
import type { BenchAudio } from "./plan.ts";
import type { Percentiles, Summary } from "./summary.ts";
import type { Counts } from "./tally.ts";

const LABEL_WIDTH = 11;
const NUMBER_WIDTH = 10;

const LATENCY_LABELS: Readonly<Record<keyof Summary["latency"], string>> = {
  connect: "connect",
  start: "start",
  refusal: "refusal",
  final: "final",
  end_of_speech: "  of speech",
  interim: "interim",
};

/** Describes the audio of a run in one line. */
export function describeAudio({ path, formats, messageMs, pauseSeconds }: BenchAudio): string {
  const names = formats.map(({ sampleFormat, sampleRate, channels }) => {
    return `${formatNumber(sampleRate)} Hz ${channels === 1 ? "mono" : `${channels} channels`} ${sampleFormat}`;
  });
  const pause = pauseSeconds > 0 ? `, pauses of ${pauseSeconds} s` : "";
  return `${path ?? "built-in speech"}, ${names.join(" + ")}, messages of ${messageMs} ms${pause}`;
}

/** Formats a line of the report. */
export function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}  ${text}`;
}

/**
 * Formats a summary for people: one line for each kind of number.
 * @param plannedSeconds that were to be counted
 */
export function summaryLines(summary: Summary, plannedSeconds: number): string[] {
  const { streams, latency, audio, server, generator } = summary;
  const refused =
    streams.refused === 0 ? "0 refused" : `${formatNumber(streams.refused)} refused (${list(summary.refusals)})`;
  const rows = Object.entries(latency).flatMap(([name, values]) =>
    values === null ? [] : [latencyRow(LATENCY_LABELS[name as keyof Summary["latency"]], values)],
  );
  const held =
    summary.max_held_ms < 1 ? "" : `; audio waited up to ${milliseconds(summary.max_held_ms)} for the server`;
  return [
    line("streams", `${formatNumber(streams.offered)} offered, ${formatNumber(streams.admitted)} admitted, ${refused}`),
    ...(summary.counted_seconds < plannedSeconds
      ? [line("", `all had ended after ${formatNumber(summary.counted_seconds)} of ${formatNumber(plannedSeconds)} s`)]
      : []),
    line("latency ms", ["count", "p50", "p90", "p99", "max"].map((name) => name.padStart(NUMBER_WIDTH)).join("")),
    ...rows,
    line(
      "audio",
      `${seconds(audio.sent_seconds)} sent; ${formatCount(audio.missing_frames, "frame")} missing, ` +
        `${formatCount(audio.failed_samples, "sample")} failed${held}`,
    ),
    line("errors", list(summary.errors) || "none"),
    ...(Object.keys(summary.warnings).length === 0 ? [] : [line("warnings", list(summary.warnings))]),
    ...serverLine(server),
    line(
      "generator",
      `${generator.cores.toFixed(2)} cores, ${formatCount(generator.messages, "message")}, ` +
        `at most ${milliseconds(generator.max_late_ms)} late`,
    ),
    ...(summary.generator_limited
      ? [line("", "the generator may have been the bottleneck: latencies are upper bounds; try --processes")]
      : []),
  ];
}

function serverLine({ cores, cpu_us_per_message: cost, rss_bytes: rss }: Summary["server"]): string[] {
  if (cores === null) return [];
  const memory = rss === null ? "" : `, ${Math.round(rss / 1024 ** 2)} MiB`;
  return [
    line("server", `${cores.toFixed(2)} cores${cost === null ? "" : `, ${cost.toFixed(1)} us a message`}${memory}`),
  ];
}

function latencyRow(label: string, { count, p50, p90, p99, max }: Percentiles): string {
  const numbers = [p50, p90, p99, max].map((value) => value.toFixed(1).padStart(NUMBER_WIDTH));
  return line(label, formatNumber(count).padStart(NUMBER_WIDTH) + numbers.join(""));
}

function list(counts: Counts): string {
  return Object.entries(counts)
    .map(([name, times]) => `${name} ${formatNumber(times)}`)
    .join(", ");
}

function milliseconds(value: number): string {
  return value < 1000 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(1)} s`;
}

function seconds(value: number): string {
  return `${formatNumber(Math.round(value))} s`;
}
