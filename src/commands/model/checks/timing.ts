import type { ReportFinding } from "./finding.ts";

/**
 * Reports how long calls take. `factors` are real-time factors (seconds in the model per second of audio); `seconds`
 * is the length of the audio of a call.
 */
export function reportTiming(factors: readonly number[], seconds: number, report: ReportFinding): void {
  const median = percentile(factors, 0.5);
  const call = `${threeDigits(median * seconds * 1000)} ms per call for ${seconds * 1000} ms of speech`;
  const text = `${call}: real-time factor ${threeDigits(median)} (p50), ${threeDigits(Math.max(...factors))} (max)`;
  if (median <= 1) return report("ok", "time", text);
  report("note", "time", `${text}; slower than real time: a worker cannot keep up with one speaker`);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

/** Formats a number with three significant digits. */
export function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
