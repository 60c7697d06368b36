import type { LaneJob } from "./worker-host.ts";

/** Returns a call as a process gets it: the state of each job, which is bytes, follows in a blob. */
export function encodeCall(call: number, jobs: readonly LaneJob[]): { header: string; blobs: readonly Uint8Array[] } {
  const blobs: Uint8Array[] = [];
  const messages = jobs.map(({ job: { kind, audio, step, state, traceparent }, lane }) => {
    // A state is what `readDone` has returned.
    if (state instanceof Uint8Array) blobs.push(state);
    return {
      lane: lane.number,
      final: kind === "final",
      slabs: audio.slabs,
      offset: audio.offset,
      length: audio.length,
      step,
      state: state instanceof Uint8Array ? state.byteLength : undefined,
      traceparent,
    };
  });
  return { header: JSON.stringify({ type: "call", call, jobs: messages }), blobs };
}
