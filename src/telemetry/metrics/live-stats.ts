import type { Counter, Gauge } from "./instruments.ts";
import type { MetricFamily } from "./metric-family.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** Current numbers of a server, for `info` and the status line of `serve`. */
export interface LiveStats {
  readonly sessions: number;
  readonly streams: number;
  /** Estimated number of real-time streams that the scarcest resource carries. */
  readonly capacity: number;
  /** Streams that were refused or ended since the start, because the server had no room for them. */
  readonly overloaded: number;
  readonly channels: number;
  /** Jobs that wait for a worker, by kind, and workers that run a call. */
  readonly queue: { readonly finals: number; readonly interims: number; readonly running: number };
  readonly workers: number;
  readonly arena: { readonly used_bytes: number; readonly resident_bytes: number; readonly bytes: number };
  /** Audio that the model has processed since the start, in seconds of all channels. */
  readonly audio_seconds: number;
  /** Time that the model took for it, in seconds. */
  readonly inference_seconds: number;
}

export function liveStats({ registry, families }: ServerMetrics): LiveStats {
  const { sessions, streams, inference, workers, buffers, stages, server } = families;
  registry.collect();
  return {
    sessions: sum(sessions.active),
    streams: sum(streams.active),
    capacity: Math.round(least(server.capacity)),
    overloaded: sum(streams.overloaded) + sum(streams.shed),
    channels: sum(streams.channelsActive),
    queue: {
      finals: sum(inference.waiting, { kind: "final" }),
      interims: sum(inference.waiting, { kind: "interim" }),
      running: sum(workers.count, { state: "busy" }),
    },
    workers: sum(workers.count),
    arena: {
      used_bytes: sum(buffers.arenaUsed),
      resident_bytes: sum(buffers.arenaResident),
      bytes: sum(buffers.arenaCapacity),
    },
    audio_seconds: roundToMs(sum(stages.mediaSeconds, { stage: "inference" })),
    inference_seconds: roundToMs(sum(stages.processingSeconds, { stage: "inference" })),
  };
}

/** Returns the least value of all series that have one; 0: none has. */
function least<Label extends string>(family: MetricFamily<Gauge, Label>): number {
  const values = [...family.entries()].map(({ instrument }) => instrument.value).filter(Number.isFinite);
  return values.length === 0 ? 0 : Math.min(...values);
}

/** Sums all series that have these label values. */
function sum<Label extends string>(
  family: MetricFamily<Counter | Gauge, Label>,
  selected?: Readonly<Partial<Record<Label, string>>>,
): number {
  const required = Object.entries(selected ?? {}) as [Label, string][];
  let total = 0;
  for (const { labels, instrument } of family.entries()) {
    if (required.every(([label, value]) => labels[label] === value)) total += instrument.value;
  }
  return total;
}

/** Rounds seconds to whole milliseconds. */
function roundToMs(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
