import { isInterim } from "../model/job.ts";
import { EncodedState } from "./encoded-state.ts";
import type { LaneJob } from "./worker-host.ts";

/** Neither pickle nor a structured clone begins so: the call fails. An empty one would be null to JavaScript. */
const UNREADABLE = Uint8Array.of(0);

/**
 * Returns a call as a process gets it: the state of each job, which is bytes, follows in a blob. A state that no process
 * has encoded becomes an unreadable one.
 */
export function encodeCall(call: number, jobs: readonly LaneJob[]): { header: string; blobs: readonly Uint8Array[] } {
  const blobs: Uint8Array[] = [];
  const messages = jobs.map(({ job, lane }) => {
    const { audio, start, utterance, step, state, traceparent } = job;
    const bytes = bytesOf(state);
    if (bytes !== undefined) blobs.push(bytes);
    return {
      lane: lane.number,
      final: !isInterim(job),
      slabs: audio.slabs,
      offset: audio.offset,
      length: audio.length,
      start,
      utterance,
      step,
      state: bytes?.byteLength,
      traceparent,
    };
  });
  return { header: JSON.stringify({ type: "call", call, jobs: messages }), blobs };
}

function bytesOf(state: unknown): Uint8Array | undefined {
  if (state === undefined) return undefined;
  return state instanceof EncodedState ? state.bytes : UNREADABLE;
}
