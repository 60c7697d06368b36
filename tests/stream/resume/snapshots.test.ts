import { expect, test } from "bun:test";

import { type Snapshot, Snapshots } from "../../../src/stream/resume/snapshots.ts";

function at(position: number): Snapshot {
  return { position, frames: position, decoder: new Uint8Array(0), channels: [] };
}

test("the newest state with nothing unanswered before it is taken, and older ones are forgotten", () => {
  const snapshots = new Snapshots();
  for (const position of [10, 20, 30]) snapshots.add(at(position));
  expect(snapshots.newest(9)).toBeUndefined();
  expect(snapshots.newest(29)?.position).toBe(20);
  expect(snapshots.newest(19)).toBeUndefined();
  expect(snapshots.newest(30)?.position).toBe(30);
});

test("of a long utterance eight states are kept: the first, the last, and others spread over it", () => {
  const snapshots = new Snapshots();
  for (let position = 1; position <= 100; position++) snapshots.add(at(position));
  const kept: number[] = [];
  for (let position = 1; position <= 100; position++) {
    const found = snapshots.newest(position)?.position ?? 0;
    if (found !== kept.at(-1)) kept.push(found);
  }
  expect(kept).toHaveLength(8);
  expect([kept[0], kept.at(-1)]).toEqual([1, 100]);
  const gaps = kept.slice(1).map((position, index) => position - kept[index]!);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(50);
});
