import type { Count, Family, Level } from "./instruments.ts";
import type { Metrics } from "./metrics.ts";

/** What is going on at a moment, for `info` and for a person at a terminal. */
export interface LiveNumbers {
  readonly sessions: number;
  readonly streams: number;
  readonly channels: number;
  /** Work for the model: finals and interims that wait for a worker, workers that compute. */
  readonly queue: { readonly finals: number; readonly interims: number; readonly running: number };
  readonly workers: number;
  readonly arena: { readonly used_bytes: number; readonly bytes: number };
  /** Since the start: audio that the model was given, all channels, and the time that it took for it. */
  readonly audio_seconds: number;
  readonly inference_seconds: number;
}

export function liveNumbers(metrics: Metrics): LiveNumbers {
  metrics.collect();
  return {
    sessions: sum(metrics.sessionsActive),
    streams: sum(metrics.streamsActive),
    channels: sum(metrics.channelsActive),
    queue: {
      finals: sum(metrics.inferenceWaiting, { kind: "final" }),
      interims: sum(metrics.inferenceWaiting, { kind: "interim" }),
      running: sum(metrics.workers, { state: "busy" }),
    },
    workers: sum(metrics.workers),
    arena: { used_bytes: sum(metrics.arenaUsed), bytes: sum(metrics.arenaCapacity) },
    audio_seconds: rounded(sum(metrics.mediaSeconds, { stage: "inference" })),
    inference_seconds: rounded(sum(metrics.processingSeconds, { stage: "inference" })),
  };
}

/** Of all series that have these label values. */
function sum<Label extends string>(
  family: Family<Count | Level, Label>,
  values: Readonly<Record<string, string>> = {},
): number {
  let total = 0;
  for (const { labels, series } of family.entries()) {
    if (Object.entries(values).every(([label, value]) => labels[label as Label] === value)) total += series.value;
  }
  return total;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
