import { expect, test } from "bun:test";

import { Group } from "../../src/lib/fair-queue.ts";
import { Owners } from "../../src/pool/owners.ts";

test("lanes of one stream share its turns, and streams of one caller share the caller's", () => {
  const owners = new Owners(new Group(), new Group());
  const [a, b] = [{}, {}];
  const first = owners.openLane({ caller: "x", stream: a });
  expect(owners.openLane({ caller: "x", stream: a })).toBe(first);
  const second = owners.openLane({ caller: "x", stream: b });
  expect(second).not.toBe(first);
  expect(second.caller).toBe(first.caller);
  expect(owners.openLane({ caller: "y", stream: {} }).caller).not.toBe(first.caller);
  expect(owners.openStreams).toBe(3);
});

test("a stream is kept while it has lanes or occupies a worker, and a caller while it has streams", () => {
  const owners = new Owners(new Group(), new Group());
  const stream = {};
  const turns = owners.openLane({ caller: "x", stream });
  turns.workers++;
  owners.closeLane(turns);
  expect([owners.openStreams, owners.size]).toEqual([0, 2]);
  expect(owners.openLane({ caller: "x", stream })).toBe(turns);
  owners.closeLane(turns);
  turns.workers--;
  owners.forgetIdle(turns);
  owners.forgetIdle(turns);
  expect(owners.size).toBe(0);
  const again = owners.openLane({ caller: "x", stream });
  owners.forgetIdle(turns);
  expect(owners.size).toBe(2);
  owners.closeLane(again);
  expect(owners.size).toBe(0);
});
