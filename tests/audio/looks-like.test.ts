import { expect, test } from "bun:test";

import { LooksLike } from "../../src/audio/looks-like.ts";
import type { SampleFormat } from "../../src/lib/sample-format.ts";
import { encode } from "../support/audio.ts";
import { reversed } from "../support/foreign-audio.ts";
import { cut } from "../support/pcm.ts";
import { recorded } from "../support/recorded.ts";

const speech = await recorded(0);
const s16 = encode("s16", speech);

/** The messages of warnings about these bytes, announced as mono at 16 kHz. */
function messages(bytes: Uint8Array, declared: SampleFormat = "s16", size = 3200): string[] {
  const looksLike = new LooksLike(declared, 1, 16_000);
  const found: string[] = [];
  for (const piece of cut(bytes, [size])) {
    if (looksLike.done) break;
    const message = looksLike.push(piece, 0, piece.length);
    if (message !== undefined) found.push(message);
  }
  return found;
}

const CASES: readonly [title: string, bytes: Uint8Array, declared: SampleFormat, message: string][] = [
  [
    "floats",
    encode("f32", speech),
    "s16",
    "The audio looks like 32-bit floats, not 16-bit integers as the start announced: correct `format`, or convert them.",
  ],
  [
    "big-endian samples",
    reversed("s16", s16),
    "s16",
    "The audio looks like big-endian 16-bit integers, not 16-bit integers as the start announced: " +
      "send the least significant byte of each sample first.",
  ],
  [
    "big-endian samples of another format",
    reversed("f32", encode("f32", speech)),
    "s16",
    "The audio looks like big-endian 32-bit floats, not 16-bit integers as the start announced: convert them.",
  ],
  [
    "mu-law",
    encode("mulaw", speech),
    "s16",
    "The audio looks like mulaw, not 16-bit integers as the start announced: correct `format`, or convert them.",
  ],
  [
    "16-bit samples",
    s16,
    "mulaw",
    "The audio looks like 16-bit integers, not mulaw as the start announced: correct `format`, or convert them.",
  ],
  [
    "half a sample",
    s16.subarray(1),
    "s16",
    "The audio looks like 16-bit integers that begin with a part of a sample: " +
      "a byte is missing or too many at the start.",
  ],
  [
    "JSON",
    Buffer.from(JSON.stringify({ audio: s16.toString("base64") })),
    "s16",
    "The audio looks like JSON text: send requests in text messages, and samples in binary messages.",
  ],
  [
    "base64",
    Buffer.from(s16.toString("base64")),
    "s16",
    "The audio looks like base64 text: decode it, and send the bytes.",
  ],
  [
    "hexadecimal digits",
    Buffer.from(s16.toString("hex")),
    "s16",
    "The audio looks like hexadecimal text: decode it, and send the bytes.",
  ],
  [
    "the page of an error",
    Buffer.from("<html><head><title>502 Bad Gateway</title></head></html>"),
    "s16",
    "The audio looks like HTML or XML, such as the page of an error: send PCM samples.",
  ],
];

test.each(CASES)("%s are named once, however they are cut", (_, bytes, declared, message) => {
  for (const size of [1, 999, 3200, bytes.length]) expect(messages(bytes, declared, size)).toEqual([message]);
});

test("samples as announced give no warning", () => {
  for (const format of ["s16", "f32", "mulaw"] as const) expect(messages(encode(format, speech), format)).toEqual([]);
});

test("text that is not long enough to be sure gives no warning", () => {
  expect(messages(Buffer.from("AAAABBBB"))).toEqual([]);
});
