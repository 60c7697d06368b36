import { expect, test } from "bun:test";

import { TrailingChunks } from "../../src/audio/trailing-chunks.ts";
import { cut } from "../support/pcm.ts";
import { chunk, littleEndian } from "../support/wav-bytes.ts";

const LIST = chunk("LIST", littleEndian("INFO"));
const DATA = chunk("data", littleEndian("more"));
const ODD = littleEndian("bext", [4, 3], "abc");

test.each([
  ["data alone", DATA, true],
  ["data behind padding", littleEndian("\0", DATA), true],
  ["data behind LIST", littleEndian(LIST, DATA), true],
  ["data behind an odd chunk", littleEndian(ODD, "\0", DATA), true],
  ["data behind an odd chunk without padding", littleEndian(ODD, DATA), true],
  ["data behind an even chunk with padding", littleEndian(LIST, "\0", DATA), true],
  [
    "data behind empty chunks",
    littleEndian(chunk("PAD ", littleEndian("")), chunk("cue ", littleEndian("")), DATA),
    true,
  ],
  ["data behind several chunks", littleEndian(LIST, ODD, LIST, DATA), true],
  ["no data", littleEndian(LIST, ODD, LIST), false],
  ["the name within a chunk", chunk("LIST", littleEndian("INFO", DATA)), false],
  ["half of a head", littleEndian(LIST, "data"), false],
])("a walk through the chunks behind the audio finds data, cut at any byte: %s", (_, bytes, hasData) => {
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = new TrailingChunks();
    for (const piece of cut(bytes, [size])) chunks.push(piece);
    expect([size, chunks.hasData]).toEqual([size, hasData]);
  }
});
