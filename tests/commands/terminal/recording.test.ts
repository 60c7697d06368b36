import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openRecording } from "../../../src/commands/terminal/recording.ts";
import { encode, noise, wav } from "../../support/audio.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-recording-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Writes a WAV file of 16 kHz and returns its path. */
async function write(name: string, channels: number, interleaved: Float32Array): Promise<string> {
  const path = join(folder, name);
  const format = { channels, sample_rate: 16_000, bit_depth: 32, is_float: true };
  await Bun.write(path, wav(format, encode("f32", interleaved)));
  return path;
}

test("at its own sample rate, a recording has the samples of its first channel", async () => {
  const samples = noise(1.5);
  const stereo = Float32Array.from({ length: 2 * samples.length }, (_, i) => (i % 2 === 0 ? samples[i / 2]! : 0.5));
  const recording = await openRecording(await write("stereo.wav", 2, stereo), 30);
  expect(recording(16_000)).toEqual(samples);
});

test("at another sample rate, a recording is resampled to the exact length", async () => {
  const recording = await openRecording(await write("mono.wav", 1, noise(2)), 30);
  expect(recording(8_000)).toHaveLength(16_000);
  expect(recording(44_100)).toHaveLength(88_200);
});

test("a short recording is padded with silence to one second", async () => {
  const samples = noise(0.25);
  const padded = (await openRecording(await write("short.wav", 1, samples), 30))(16_000);
  expect(padded).toHaveLength(16_000);
  expect(padded.subarray(0, samples.length)).toEqual(samples);
  expect(padded.subarray(samples.length).every((sample) => sample === 0)).toBe(true);
});

test("a long recording is cut after 30 s", async () => {
  const recording = await openRecording(await write("long.wav", 1, new Float32Array(31 * 16_000)), 30);
  expect(recording(16_000)).toHaveLength(30 * 16_000);
});
