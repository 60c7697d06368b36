import { expect, test } from "bun:test";

import { encodeCall } from "../../src/pool/encoded-call.ts";
import { EncodedState } from "../../src/pool/encoded-state.ts";
import type { LaneJob } from "../../src/pool/worker-host.ts";

const lane = { number: 7, options: undefined };
const audio = { slabs: [1, 2], offset: 3, length: 4 };

function stateAndBlob(state?: unknown): [bytes: unknown, blob: Uint8Array] {
  const job: LaneJob["job"] = { kind: "final", start: 9, end: 13, utterance: 2, audio, step: "step", state };
  const { header, blobs } = encodeCall(5, [{ job, lane }]);
  const { jobs, ...rest } = JSON.parse(header) as { jobs: Record<string, unknown>[] };
  expect(rest as object).toEqual({ type: "call", call: 5 });
  const { state: bytes, ...others } = jobs[0]!;
  expect(others).toEqual({ lane: 7, final: true, ...audio, start: 9, utterance: 2, step: "step" });
  return [bytes, Buffer.concat(blobs)];
}

test("a state that a process has encoded is sent as its bytes, behind the header", () => {
  expect(stateAndBlob(new EncodedState(Uint8Array.of(1, 2, 3)))).toEqual([3, Buffer.of(1, 2, 3)]);
  expect(stateAndBlob()).toEqual([undefined, Buffer.of()]);
});

test("no other state is sent, not even bytes: what a client may have written must not be decoded", () => {
  for (const state of [Uint8Array.of(1, 2, 3), Buffer.of(1), { bytes: Uint8Array.of(1) }, null, "text"]) {
    // Present, so that the process fails the call in place of starting anew.
    expect(stateAndBlob(state)).toEqual([1, Buffer.of(0)]);
  }
});
