import { expect, test } from "bun:test";

import fc from "fast-check";

import { EnergyVad } from "../../src/vad/energy.ts";
import { seeded } from "../support/audio.ts";

const RATE = 16_000;

/** Soft noise with bursts of loud noise in it. */
function bursts(seconds: number, seed: number): Float32Array {
  const next = seeded(seed);
  const samples = new Float32Array(Math.round(RATE * seconds));
  for (let i = 0; i < samples.length; i++) {
    const loud = Math.floor(i / (RATE * 0.7)) % 3 === 2;
    samples[i] = (next() - 0.5) * (loud ? 0.5 : 0.004);
  }
  return samples;
}

function decisions(samples: Float32Array, sizes: readonly number[], lead = 0): [boolean, number][] {
  using vad = new EnergyVad(RATE, 10);
  const found: [boolean, number][] = [];
  const memory = new Float32Array(samples.length + lead);
  memory.set(samples, lead);
  for (let at = 0, i = 0; at < samples.length; i++) {
    const length = Math.min(samples.length - at, sizes[i % sizes.length] ?? 1);
    vad.push(memory, lead + at, length, (speech, levelDb) => found.push([speech, levelDb]));
    at += length;
  }
  return found;
}

test("every window of 10 ms is decided, in order, as soon as it is complete", () => {
  using vad = new EnergyVad(RATE, 10);
  expect(vad.windowSamples).toBe(160);
  let count = 0;
  const samples = new Float32Array(1000);
  const decide = (): void => void (count += 1);
  vad.push(samples, 0, 159, decide);
  expect(count).toBe(0);
  vad.push(samples, 159, 1, decide);
  expect(count).toBe(1);
  vad.push(samples, 0, 0, decide);
  vad.push(samples, 160, 640, decide);
  expect(count).toBe(5);
});

test("more windows than one native call takes are all decided, and none twice", () => {
  // Some seconds of audio in one call, and in calls that end just before, on and behind the batch's border.
  const samples = bursts(16.003, 1);
  const whole = decisions(samples, [samples.length]);
  expect(whole.length).toBe(1600);
  for (const size of [511 * 160 - 1, 511 * 160, 511 * 160 + 1, 512 * 160, 513 * 160 + 77]) {
    expect(decisions(samples, [size])).toEqual(whole);
  }
});

test("loud stretches are speech, soft ones are not", () => {
  const speech = decisions(bursts(8.4, 2), [1600]).map(([is]) => is);
  expect(speech.slice(0, 135)).not.toContain(true);
  expect(speech.slice(150, 205)).not.toContain(false);
  expect(speech.slice(240, 345)).not.toContain(true);
});

test("any cut gives the same decisions and levels, wherever the samples lie", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.nat(),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 10 }),
      fc.nat(100),
      (seconds, seed, sizes, lead) => {
        const samples = bursts(seconds, seed);
        expect(decisions(samples, sizes, lead)).toEqual(decisions(samples, [samples.length]));
      },
    ),
    { numRuns: 40 },
  );
});
