import { expect, test } from "bun:test";

import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { fixedThreshold, REFERENCE_DBFS } from "../../src/vad/fixed-threshold.ts";

const RATE = 16_000;

/** A square wave has the level of its amplitude in every window. */
function square(levelDb: number, seconds = 0.1): Float32Array {
  const amplitude = 10 ** (levelDb / 20);
  return Float32Array.from({ length: seconds * RATE }, (_, i) => (i % 2 === 0 ? amplitude : -amplitude));
}

function decisions(samples: Float32Array, threshold_db: number): [boolean, number][] {
  using detector = fixedThreshold.create(RATE, { ...VAD_DEFAULTS, threshold_db });
  const found: [boolean, number][] = [];
  detector.push(samples, 0, samples.length, (speech, levelDb) => found.push([speech, levelDb]));
  return found;
}

test("the level of a window is its mean power, constant offsets included", () => {
  for (const [, levelDb] of decisions(square(-23), 10)) expect(levelDb).toBeCloseTo(-23, 4);
  for (const [, levelDb] of decisions(new Float32Array(RATE).fill(0.1), 10)) expect(levelDb).toBeCloseTo(-20, 4);
});

test("the default threshold is -40 dBFS, as documented", () => {
  expect(decisions(square(-39.9), 10).every(([speech]) => speech)).toBe(true);
  expect(decisions(square(-40.1), 10).some(([speech]) => speech)).toBe(false);
});

test("speech is what reaches threshold_db above the reference, from the first window on and for ever", () => {
  for (const threshold of [3, 10, 40]) {
    const above = decisions(square(REFERENCE_DBFS + threshold + 0.01, 10), threshold);
    expect(above.every(([speech]) => speech)).toBe(true);
    expect(above.length).toBe(500);
    const below = decisions(square(REFERENCE_DBFS + threshold - 0.01, 10), threshold);
    expect(below.some(([speech]) => speech)).toBe(false);
  }
});
