import { describe, expect, test } from "bun:test";

import { encodeRecording } from "../../../src/commands/bench/recording.ts";
import { encodeSample } from "../../../src/commands/bench/sample-encoders.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../../src/lib/sample-format.ts";
import { SAMPLE_CODECS } from "../../support/sample-codecs.ts";

const RATE = 16_000;
const options = { sampleFormat: "s16", sampleRate: RATE, channels: 1, messageMs: 100, pauseSeconds: 0 } as const;

/** The samples that the frames carry, as s16. A frame of 100 ms has a head of 8 bytes: 4 and the masking key. */
function samplesOf(frames: readonly Uint8Array[]): number[] {
  return frames.flatMap((frame) => [...new Int16Array(frame.slice(8).buffer)]);
}

describe.each([...SAMPLE_FORMAT_NAMES])("a sample encoded as %s", (name) => {
  test("reads as what it was, within one step", () => {
    const view = new DataView(new ArrayBuffer(8));
    for (const sample of [-1, -0.7, -0.01, -0.0001, 0, 0.0001, 0.01, 0.7, 0.9999]) {
      encodeSample(name)(view, 0, sample);
      // G.711 has 16 steps in each octave; the smallest are 8 or 16 units of 16 bits.
      const step = SAMPLE_FORMATS[name].encoding === "pcm" ? 2 ** (1 - SAMPLE_FORMATS[name].bit_depth) : 2 ** -11;
      const error = Math.abs(SAMPLE_CODECS[name].read(view, 0) - sample);
      expect(error).toBeLessThanOrEqual(Math.max(step, Math.abs(sample) / 32));
    }
  });
});

describe("a recording", () => {
  const samples = Float32Array.from({ length: 2.55 * RATE }, (_, i) => (i % 100) / 128);

  test("is cut into messages; an incomplete one at its end is left out", () => {
    const { frames, messageBytes, format } = encodeRecording(samples, options);
    expect(frames).toHaveLength(25);
    expect(messageBytes).toBe(3_200);
    expect(format).toEqual({ channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false, encoding: "pcm" });
    const expected = samples.slice(0, 2.5 * RATE);
    expect(samplesOf(frames)).toEqual([...expected].map((sample) => Math.round(sample * 2 ** 15)));
  });

  test("has its channels shifted against each other", () => {
    const { frames } = encodeRecording(samples.slice(0, 2 * RATE), { ...options, channels: 2 });
    const interleaved = samplesOf(frames);
    const channel = (c: number): number[] => interleaved.filter((_, i) => i % 2 === c);
    const half = RATE;
    expect(channel(1)).toEqual([...channel(0).slice(half), ...channel(0).slice(0, half)]);
  });

  test("is followed by its quietest stretch, forwards and backwards, as a pause", () => {
    const quiet = samples.map((sample, i) => (i >= RATE && i < 1.5 * RATE ? sample / 1000 : sample));
    const { frames } = encodeRecording(quiet.slice(0, 2 * RATE), { ...options, pauseSeconds: 1 });
    const pause = samplesOf(frames).slice(2 * RATE);
    expect(pause).toHaveLength(RATE);
    expect(Math.max(...pause.map(Math.abs))).toBeLessThan(100);
    const turn = 0.3 * RATE;
    expect(pause.slice(turn, 2 * turn)).toEqual(pause.slice(0, turn).toReversed());
  });
});
