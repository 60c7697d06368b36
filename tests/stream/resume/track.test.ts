import { expect, test } from "bun:test";

import { MAX_FLUSHES } from "../../../src/stream/resume/resume-state.ts";
import { Track } from "../../../src/stream/resume/track.ts";

const plain = { sampleRate: 1000, grid: 30, start: 0, flushes: [] };

test("decoding pauses about once a second of audio, at the borders of windows or blocks", () => {
  const track = new Track(plain);
  expect([track.room(0), track.room(900)]).toEqual([990, 90]);
  expect([track.takeSave(989), track.takeSave(990), track.takeSave(990)]).toEqual([false, true, false]);
  expect(track.room(990)).toBe(990);
  expect(new Track({ ...plain, grid: 5000 }).room(0)).toBe(5000);
  expect(new Track({ ...plain, start: 990 }).room(990)).toBe(990);
});

test("decoding pauses where the stream before was flushed, also at the start", () => {
  const track = new Track({ ...plain, start: 990, flushes: [990, 1100] });
  expect(track.room(990)).toBe(0);
  expect([track.takeFlush(990), track.takeFlush(990)]).toEqual([true, false]);
  expect(track.room(990)).toBe(110);
  expect(track.flushesSince(990)).toEqual([1100]);
});

test("a checkpoint has the flushes behind its state, each once", () => {
  const track = new Track(plain);
  for (const position of [100, 990, 990, 1200]) track.flushed(position);
  expect(track.flushesSince(990)).toEqual([990, 1200]);
  expect(track.flushesSince(1980)).toEqual([]);
});

test("with too many flushes there is no checkpoint, until a state behind them is saved", () => {
  const track = new Track(plain);
  for (let position = 1; position <= MAX_FLUSHES + 5; position++) track.flushed(position);
  expect(track.flushesSince(0)).toBeUndefined();
  expect(track.flushesSince(6)).toHaveLength(MAX_FLUSHES);
});
