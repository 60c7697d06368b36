import { expect, test } from "bun:test";

import { interleave } from "../../../src/client/browser/interleave.ts";
import { ChannelHistory, MAX_HISTORY_SECONDS } from "../../../src/console/audio/history.ts";
import { readWavRate } from "../../../src/console/audio/wav-rate.ts";
import { noise, voice } from "../../support/audio.ts";
import { chunk, fmt, littleEndian } from "../../support/wav-bytes.ts";

const RATE = 16_000;
const SETTINGS = { threshold_db: 10, floor_dbfs: -70 };

test("a history has the extremes and the level of each window, however the audio is cut", () => {
  const samples = voice(1);
  const whole = new ChannelHistory(RATE, 1, SETTINGS);
  whole.push(samples);
  const cut = new ChannelHistory(RATE, 1, SETTINGS);
  for (let at = 0; at < samples.length; at += 77) cut.push(samples.subarray(at, at + 77));
  expect(whole.range).toEqual([0, 100]);
  for (let i = 0; i < 100; i++) expect(cut.at(i)).toEqual(whole.at(i)!);
  const first = samples.subarray(0, 160);
  expect(whole.at(0)).toMatchObject({ low: Math.min(...first), high: Math.max(...first) });
  expect(whole.at(100)).toBeUndefined();
});

test("other settings decide about everything that was heard before", () => {
  const history = new ChannelHistory(RATE, 1, SETTINGS);
  history.push(noise(1, { level: 0.001 }));
  history.push(voice(1));
  const speech = (): number =>
    Array.from({ length: 200 }, (_, i) => history.at(i)!).filter((each) => each.speech).length;
  const before = speech();
  expect(before).toBeGreaterThan(20);
  history.redecide({ threshold_db: 40, floor_dbfs: -20 });
  expect(speech()).toBe(0);
  history.redecide(SETTINGS);
  expect(speech()).toBe(before);
});

test("audio is given back to 16 bits, and what is too long ago is not", () => {
  const history = new ChannelHistory(8_000, 1, SETTINGS);
  const samples = Float32Array.from({ length: 8_000 }, (_, i) => Math.sin(i));
  history.push(samples);
  const back = history.audio(0.25, 0.75)!;
  expect(back.length).toBe(4_000);
  expect(Math.abs(back[0]! - samples[2_000]!)).toBeLessThan(1 / 32_000);
  for (let second = 0; second < MAX_HISTORY_SECONDS; second++) history.push(new Float32Array(8_000));
  expect(history.audio(0.25, 0.75)).toBeUndefined();
  expect(history.at(0)).toBeUndefined();
  expect(history.audio(MAX_HISTORY_SECONDS, MAX_HISTORY_SECONDS + 1)?.length).toBe(8_000);
});

test("samples become frames of 16 bits, limited to full scale", () => {
  const bytes = interleave([Float32Array.of(0, 1, -1), Float32Array.of(2, -2, 0.5)]);
  expect([...new Int16Array(bytes.buffer)]).toEqual([0, 32_767, 32_767, -32_768, -32_768, 16_384]);
  expect(interleave([])).toHaveLength(0);
});

test("the rate of a WAV file is that of its header, if a browser can decode at it", () => {
  const wav = (rate: number): Uint8Array =>
    littleEndian("RIFF", [4, 36], "WAVE", chunk("fmt ", fmt(1, 1, rate, 16)), "data", [4, 0]);
  expect(readWavRate(wav(44_100))).toBe(44_100);
  expect(readWavRate(wav(384_000))).toBeUndefined();
  expect(readWavRate(new TextEncoder().encode("OggS and so on"))).toBeUndefined();
  expect(readWavRate(new Uint8Array())).toBeUndefined();
});
