import { expect, test } from "bun:test";

import { EventReader } from "../../src/client/event-reader.ts";

const ACTIVE = '{"type":"active","time":1,"channel":0}';

function segment(bytes: number): string {
  const audio = { bytes, sample_rate: 8000 };
  return JSON.stringify({ type: "segment", start_time: 0, end_time: 1, channel: 0, audio });
}

test("an event without audio is complete at once", () => {
  const reader = new EventReader();
  expect(reader.read(ACTIVE, 5)).toMatchObject({ text: ACTIVE, receivedMs: 5, audio: undefined });
  expect(reader.awaitsAudio).toBe(false);
});

test("an event with audio is complete when the audio has arrived", () => {
  const reader = new EventReader();
  expect(reader.read(segment(8), 5)).toBeUndefined();
  expect(reader.awaitsAudio).toBe(true);
  const samples = Float32Array.of(0.5, -1);
  expect(reader.read(samples.buffer, 7)).toMatchObject({ text: segment(8), receivedMs: 7, audio: samples });
  expect(reader.awaitsAudio).toBe(false);
});

test.each([
  ["a binary message without an event", [new ArrayBuffer(8)], "a binary message that no event announced"],
  ["audio of another length", [segment(8), new ArrayBuffer(4)], "a binary message that no event announced"],
  ["an event in place of audio", [segment(8), ACTIVE], "in place of the audio"],
  ["part of a sample", [segment(6)], "6 bytes of audio are not whole f32 samples"],
  ["text that is not JSON", ["hello"], ""],
] as const)("%s throws", (_, messages, words) => {
  const reader = new EventReader();
  expect(() => messages.map((message) => reader.read(message, 0))).toThrow(words);
});
