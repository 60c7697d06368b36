import type { Plan } from "../../../src/commands/bench/plan.ts";
import { partsFor } from "../../../src/commands/bench/settings.ts";

export interface SpeechRun {
  readonly addr: string;
  readonly streams: number;
  /** Seconds: to connect, before counting, counted, and to wait for the end of a stream. */
  readonly ramp: number;
  readonly settle: number;
  readonly seconds: number;
  readonly timeout: number;
  /** Hz; default 16,000. */
  readonly sampleRate?: number;
}

/** A run of the load generator with the built-in speech: mono s16 in messages of 100 ms. */
export function speechPlan({ addr, streams, ramp, settle, seconds, timeout, sampleRate = 16_000 }: SpeechRun): Plan {
  return {
    tls: {},
    addr,
    audio: {
      path: undefined,
      formats: [{ sampleFormat: "s16", sampleRate, channels: 1 }],
      messageMs: 100,
      pauseSeconds: 0,
    },
    fields: {},
    streams,
    parts: partsFor(streams, undefined),
    rampMs: ramp * 1000,
    settleMs: settle * 1000,
    countMs: seconds * 1000,
    timeoutMs: timeout * 1000,
  };
}
