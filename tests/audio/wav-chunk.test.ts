import { expect, test } from "bun:test";

import { findName, isTrailingChunk } from "../../src/audio/wav-chunk.ts";
import { littleEndian } from "../support/wav-bytes.ts";

test.each([
  ["in its place", "?data?", 0],
  ["one byte back", "data??", -1],
  ["one byte forth", "??data", 1],
  ["in its place, unknown", "?what?", 0],
  ["one byte forth, unknown", "\0\0what", 1],
  ["one byte back, unknown", "what\0\0", -1],
  ["known one byte back, unknown in its place", "dataxy", -1],
  ["known one byte forth, unknown in its place", "xydata", 1],
  ["known in its place, with a letter behind", "?LISTx", 0],
  ["nowhere", "\0\0\0\0\0\0", 0],
] as const)("a name is found %s", (_, window, shift) => {
  expect(findName(littleEndian(window))).toBe(shift);
});

test.each([
  ["a chunk that fills the file", littleEndian("LIST", [4, 4], "x"), 12, true],
  ["a chunk whose padding is missing", littleEndian("LIST", [4, 5], "x"), 13, true],
  ["a chunk of an unknown name", littleEndian("Xtra", [4, 4], "x"), 12, true],
  ["a chunk behind a pad byte", littleEndian("\0LIST", [4, 4]), 13, true],
  ["a chunk that is longer than the file", littleEndian("LIST", [4, 5], "x"), 12, false],
  ["the head of a chunk without its last byte", littleEndian("LIST", [2, 4], "\0"), 12, false],
  ["a second file", littleEndian("RIFF", [4, 4], "W"), 12, false],
  ["samples", littleEndian([4, 0], [4, 0], "\0"), 12, false],
  ["no bytes", new Uint8Array(0), 12, false],
] as const)("behind the audio, %s is told from audio (%#)", (_, bytes, room, found) => {
  expect(isTrailingChunk(bytes, room)).toBe(found);
});
