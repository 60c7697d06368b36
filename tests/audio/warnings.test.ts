import { expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import { Decoder } from "../../src/audio/decoder.ts";
import { Store } from "../../src/audio/store.ts";
import { AudioWarnings } from "../../src/audio/warnings.ts";
import { parseEvent, type Warning } from "../../src/protocol/events.ts";
import { cut } from "../support/pcm.ts";

const RATE = 8000;

/** The warnings about interleaved float samples that come in messages of `size` bytes. */
function warningsAbout(channels: number, samples: Float32Array, size = 4000, outRate = RATE): Warning[] {
  const reported: Warning[] = [];
  const arena = new Arena(64);
  const stores = Array.from({ length: channels }, () => new Store(arena));
  const warnings = new AudioWarnings((warning) => reported.push(warning));
  using decoder = new Decoder({ sampleFormat: "f32", channels, sampleRate: RATE }, outRate, arena, stores);
  for (const chunk of cut(new Uint8Array(samples.buffer), [size])) {
    for (let offset = 0; offset < chunk.length;) {
      offset += decoder.push(chunk, offset, 1000);
      warnings.look(decoder);
      for (const store of stores) store.release(store.end);
    }
  }
  for (const warning of reported) expect(parseEvent(JSON.stringify(warning))).toEqual(warning);
  return reported;
}

/** `seconds` of interleaved samples; sample i of channel c is `at(c, i)`. */
function make(channels: number, seconds: number, at: (channel: number, i: number) => number): Float32Array {
  const samples = new Float32Array(Math.round(RATE * seconds) * channels);
  for (let i = 0; i < samples.length; i++) samples[i] = at(i % channels, Math.floor(i / channels));
  return samples;
}

const tone = (i: number): number => Math.sin(i) / 2;

function codes(warnings: readonly Warning[]): string[] {
  return warnings.map(({ code }) => code);
}

test("good audio gives no warning", () => {
  expect(
    warningsAbout(
      2,
      make(2, 11, (c, i) => tone(i + c)),
    ),
  ).toEqual([]);
});

test("a channel of zeros for 10 s is named once, as soon as the 10 s are full", () => {
  const samples = make(2, 25, (c, i) => (c === 1 ? 0 : tone(i)));
  const reported = warningsAbout(2, samples);
  expect(reported).toEqual([{ type: "warning", code: "silence", message: expect.any(String), channel: 1 }]);
  expect(warningsAbout(2, samples.subarray(0, 2 * (10 * RATE - 1)).slice())).toEqual([]);
  expect(codes(warningsAbout(2, samples.subarray(0, 2 * 10 * RATE).slice()))).toEqual(["silence"]);
});

test("channels that carry the same samples are named once, without a channel", () => {
  const reported = warningsAbout(
    2,
    make(2, 21, (_c, i) => tone(i)),
  );
  expect(reported).toEqual([{ type: "warning", code: "identical_channels", message: expect.any(String) }]);
});

test("clipping is named once, with the channel", () => {
  const clipped = make(2, 3, (c, i) => (c === 0 ? tone(i) : i % 50 < 10 ? 1 : tone(i)));
  const reported = warningsAbout(2, clipped);
  expect(reported).toEqual([{ type: "warning", code: "clipping", message: expect.any(String), channel: 1 }]);
});

test("NaN, infinity and samples beyond 1 are named once each, in the order in which they are met", () => {
  const samples = make(1, 2, (_c, i) => (i === 1000 ? 2 : i === 9000 ? Number.NaN : i === 9001 ? -Infinity : tone(i)));
  expect(codes(warningsAbout(1, samples))).toEqual(["out_of_range", "not_a_number"]);
});

test("several kinds in the same message are all reported", () => {
  const samples = make(1, 0.1, (_c, i) => (i === 10 ? 2 : i === 11 ? Number.NaN : tone(i)));
  expect(codes(warningsAbout(1, samples)).toSorted()).toEqual(["not_a_number", "out_of_range"]);
});

test("resampled audio gives the same warnings, however it is cut", () => {
  const samples = make(2, 12, (c, i) =>
    c === 0 ? 0 : i === 50_000 ? Number.POSITIVE_INFINITY : i % 50 < 10 ? -1 : tone(i),
  );
  const whole = warningsAbout(2, samples, samples.byteLength);
  expect(codes(whole).toSorted()).toEqual(["clipping", "not_a_number", "silence"]);
  for (const size of [3, 1001, 64_000]) {
    expect(warningsAbout(2, samples, size)).toEqual(whole);
    expect(warningsAbout(2, samples, size, 16_000)).toEqual(whole);
  }
});
