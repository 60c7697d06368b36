import { expect, test } from "bun:test";

import { type Text, TextGuess } from "../../src/audio/text-guess.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { encode } from "../support/audio.ts";
import { cut } from "../support/pcm.ts";
import { recorded } from "../support/recorded.ts";

function guess(bytes: Uint8Array, size = bytes.length): { guess: Text | undefined; done: boolean } {
  const text = new TextGuess();
  for (const message of cut(bytes, [size])) text.push(message, 0, message.length);
  return { guess: text.guess, done: text.done };
}

const speech = encode("s16", await recorded(0));
const base64 = Buffer.from(speech).toString("base64");

const TEXTS: readonly [title: string, text: string, Text][] = [
  ["an object", JSON.stringify({ audio: base64 }), "JSON"],
  ["an indented object", JSON.stringify({ sample_rate: 16_000 }, null, 2), "JSON"],
  ["a list of numbers", JSON.stringify([0, -0.25, 1e-7, 12]), "JSON"],
  ["base64", base64, "base64"],
  ["base64 in lines", base64.replaceAll(/.{76}/g, "$&\r\n"), "base64"],
  ["base64 for URLs", Buffer.from(speech).toString("base64url"), "base64"],
  ["base64 that begins with silence", "AAAA".repeat(1000) + base64, "base64"],
  ["hexadecimal digits", Buffer.from(speech).toString("hex"), "hexadecimal"],
  ["hexadecimal digits in lines", Buffer.from(speech).toString("hex").replaceAll(/.{32}/g, "$& \n"), "hexadecimal"],
  [
    "hexadecimal digits that begin with silence",
    "00".repeat(1000) + Buffer.from(speech).toString("hex"),
    "hexadecimal",
  ],
  ["the page of an error", "<!DOCTYPE html><html><title>404 Not Found</title></html>", "HTML"],
  ["XML", '\n<?xml version="1.0"?>', "HTML"],
  ["numbers in lines", Array.from(speech.subarray(0, 2000), (byte) => `${byte / 256},`).join("\n"), "text"],
  ["prose", "The quick brown fox jumps over the lazy dog. ".repeat(40), "text"],
  ["a data URL", `data:audio/wav;base64,${base64}`, "base64"],
];

test.each(TEXTS)("%s is text, however it is cut", (_, text, kind) => {
  const bytes = Buffer.from(text);
  for (const size of [bytes.length, 1, 7]) expect(guess(bytes, size)).toEqual({ guess: kind, done: true });
});

test("too few characters show nothing", () => {
  for (const text of ["{", '{"sample_rate"', base64.slice(0, 511), "AAAA".repeat(100), "data"]) {
    expect(guess(Buffer.from(text))).toEqual({ guess: undefined, done: false });
  }
});

test("slow 8-bit audio in the range of characters is no text", () => {
  const ramp = Uint8Array.from({ length: 8000 }, (_, i) => 0x4f + Math.round(47 * Math.sin(i / 20)));
  for (const bytes of [ramp, new Uint8Array(8000).fill(0x41), new Uint8Array(8000).fill(0x3c)]) {
    expect(guess(bytes).guess).toBeUndefined();
  }
});

test("text of silence alone is given up after 64 KiB", () => {
  expect(guess(Buffer.from("AAAA".repeat(16_384)))).toEqual({ guess: undefined, done: true });
});

test.each(SAMPLE_FORMAT_NAMES)("speech in the format %s is no text, wherever the stream begins", async (format) => {
  const { bytes: width } = SAMPLE_FORMATS[format];
  for (const gain of [0.03, 1, 5]) {
    const bytes = encode(
      format,
      (await recorded(1, 8000)).map((x) => Math.max(-1, Math.min(0.9999, gain * x))),
    );
    for (let at = 0; at + 4096 < bytes.length; at += 7 * width) {
      const text = new TextGuess();
      text.push(bytes, at, at + 4096);
      if (text.guess !== undefined || !text.done) throw new Error(`${text.guess} at byte ${at}, gain ${gain}`);
    }
  }
});
