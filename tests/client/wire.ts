import type { ChannelLedger, Started, Stopped } from "../../src/protocol/events.ts";

/** Events as a server would send them, for fake servers in tests. */

export const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" } as const;

export function startedEvent(fields: Partial<Started>): Started {
  return {
    type: "started",
    session_id: "AAAAAAAAAAAAAAAAAAAAAA",
    stream: 0,
    trace_id: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    format: FORMAT,
    model: "simulated",
    sample_rate: 16_000,
    limits: {
      max_message_bytes: 1_048_576,
      max_channels: 16,
      idle_timeout_ms: 30_000,
      session_ms: 0,
    },
    ...fields,
  };
}

export function stoppedEvent(channels: ChannelLedger[] = [], fields: Partial<Stopped> = {}): Stopped {
  return { type: "stopped", reason: "stop", channels, trailing_bytes: 0, skipped_bytes: 0, ...fields };
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the promise was fulfilled");
}
