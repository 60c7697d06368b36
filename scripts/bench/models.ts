// Effect and cost of the built-in models: noise reduction in dB on the repository's recording of a reader in white
// noise, and real-time factors on one core.
//
//   bun run bench models
//
// Noise comes from a fixed seed; times are medians.

import { Denoiser } from "../../src/model/built-in/denoise.ts";
import { LevelMeter } from "../../src/model/built-in/levels.ts";
import { concat, noise } from "../../tests/support/audio.ts";
import { recorded } from "../../tests/support/recorded.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";

const RATE = 16_000;
const ROUNDS = 9;
const BLOCK = RATE / 10;

function rms(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
}

function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}

function filter(samples: Float32Array, model: Denoiser): Float32Array {
  const parts: Float32Array[] = [];
  let state = model.start();
  for (let at = 0; at < samples.length; at += BLOCK) {
    const [said, next] = model.step(samples.slice(at, at + BLOCK), state);
    if (said !== undefined) parts.push(said.audio);
    state = next;
  }
  return concat(...parts, model.finish(state).audio);
}

/** Mean SNR in dB of the 20 ms windows with speech, each limited to -10 to 35 dB. */
function segmentalSnr(clean: Float32Array, heard: Float32Array): number {
  const frame = RATE / 50;
  let [sum, count] = [0, 0];
  for (let at = 0; at + frame <= clean.length; at += frame) {
    const wanted = clean.slice(at, at + frame);
    if (rms(wanted) < 0.01) continue;
    const error = wanted.map((x, i) => heard[at + i]! - x);
    sum += Math.max(-10, Math.min(35, decibels(rms(wanted) / (rms(error) + 1e-9))));
    count += 1;
  }
  return sum / count;
}

/** Median seconds of `work`. */
function secondsOf(work: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const begun = Bun.nanoseconds();
    work();
    return (Bun.nanoseconds() - begun) / 1e9;
  });
  return median(times);
}

const speech = (await recorded(0)).slice(0, 8 * RATE);
const clean = concat(new Float32Array(RATE), speech, new Float32Array(RATE));

printMachine();
console.log("denoise, reader in white noise: SNR before | noise in pauses | segmental SNR | level of the voice");
for (const snr of [20, 10, 5, 0]) {
  const level = rms(speech) * Math.sqrt(3) * 10 ** (-snr / 20);
  const hiss = noise(clean.length / RATE, { seed: 11, level });
  const heard = clean.map((x, i) => x + hiss[i]!);
  for (const reduction_db of [12, 18]) {
    const out = filter(heard, new Denoiser({ reduction_db, smoothing: 0.98 }));
    const pause = (samples: Float32Array) => rms(samples.slice(0.4 * RATE, 0.9 * RATE));
    const voice = (samples: Float32Array) => rms(samples.slice(2 * RATE, 8 * RATE));
    const [before, after] = [segmentalSnr(clean, heard), segmentalSnr(clean, out)];
    console.log(
      `  reduction_db ${reduction_db}  ${String(snr).padStart(2)} dB  ${decibels(pause(out) / pause(hiss))
        .toFixed(1)
        .padStart(6)} dB` +
        `  ${before.toFixed(1).padStart(5)} -> ${after.toFixed(1).padStart(5)} dB  ${decibels(voice(out) / voice(clean))
          .toFixed(1)
          .padStart(5)} dB`,
    );
  }
}

const model = new Denoiser({ reduction_db: 18, smoothing: 0.98 });
const meter = new LevelMeter();
const length = clean.length / RATE;
const plain = secondsOf(() => filter(clean, model));
const [, state] = model.step(clean, model.start());
const CLONES = 500;
const clones = secondsOf(() => {
  for (let i = 0; i < CLONES; i++) structuredClone(state);
});
console.log(`denoise  real-time factor ${(plain / length).toFixed(4)} in blocks of 100 ms`);
console.log(`         ${((clones / CLONES) * 1e6).toFixed(0)} us for a structured clone of its state`);
console.log(`levels   real-time factor ${(secondsOf(() => meter.infer(clean)) / length).toFixed(4)}`);
