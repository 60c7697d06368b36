import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../src/lib/sample-format.ts";
import { ArenaMemory, SLAB_SAMPLES } from "../../src/native/arena.ts";
import { copySamples } from "../../src/native/samples.ts";
import { Answers } from "../../src/pipeline/answers.ts";
import { segmented } from "../../src/pipeline/segmented.ts";
import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import type { Detector, DetectorKind } from "../../src/vad/detector.ts";
import { DEFAULT_DETECTOR, DETECTOR_NAMES, DETECTORS } from "../../src/vad/detectors.ts";
import { concat, freshSeed, seeded, voice } from "../support/audio.ts";
import { sine, whiteNoise } from "../support/native/vad-signals.ts";

const RATES = [8000, 16_000, 22_050, 48_000];
const seed = freshSeed();

interface Decision {
  readonly speech: boolean;
  readonly levelDb: number;
}

/** Pushes `samples` in pieces of these sizes, used in turn, from index `lead` of an arena, or of an array. */
function push(detector: Detector, samples: Float32Array, sizes: readonly number[], lead = 0): Decision[] {
  const array = new Float32Array(lead + samples.length + 1).fill(1);
  array.set(samples, lead);
  using arena = new ArenaMemory(Math.ceil(array.length / SLAB_SAMPLES));
  copySamples(array, 0, arena, 0, array.length);
  const memory = lead % 2 === 0 ? arena : array;
  const decisions: Decision[] = [];
  for (let at = 0, turn = 0; at < samples.length; turn++) {
    const length = Math.min(sizes[turn % sizes.length] ?? 1, samples.length - at);
    detector.push(memory, lead + at, length, (speech, levelDb) => decisions.push({ speech, levelDb }));
    at += length;
  }
  return decisions;
}

/** Decisions of a new detector about the whole of `samples`. */
function decide(kind: DetectorKind, samples: Float32Array, rate: number, threshold_db = VAD_DEFAULTS.threshold_db) {
  using detector = kind.create(rate, { ...VAD_DEFAULTS, threshold_db });
  return push(detector, samples, [samples.length]);
}

function power(samples: Float32Array): number {
  return samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
}

/** Two seconds of noise at -55 dBFS, 1.5 s of a voice at -35 dBFS in the same noise, and another second of noise. */
function conversation(rate: number, from: number): Float32Array {
  const spoken = voice(1.5, { rate, seed: from });
  const gain = Math.sqrt(10 ** (-35 / 10) / power(spoken));
  const quiet = (seconds: number) => new Float32Array(Math.round(seconds * rate));
  const clean = concat(
    quiet(2),
    spoken.map((sample) => gain * sample),
    quiet(1),
  );
  const noise = whiteNoise(clean.length, -55, from);
  return clean.map((sample, i) => sample + noise[i]!);
}

/** Noise whose level jumps between -70 and -10 dBFS twice a second. */
function bursts(length: number, rate: number, from: number): Float32Array {
  const random = seeded(from);
  const loud = whiteNoise(length, -10, from);
  let gain = 1;
  return loud.map((sample, i) => {
    if (i % Math.round(rate / 2) === 0) gain = random() < 0.5 ? 0.001 : 1;
    return gain * sample;
  });
}

test("the table has the default detector and others", () => {
  expect(DETECTOR_NAMES).toContain(DEFAULT_DETECTOR);
  expect(DETECTOR_NAMES.length).toBeGreaterThan(1);
});

test("the segmented pattern uses the detector of its settings", () => {
  // Steady sound is noise to a floor that follows the room, and speech above a fixed one.
  const steady = sine(16_000, 1000, -20);
  const events = (detector: string) => {
    const start = { interim_results: false, interim_interval_ms: 500 };
    const context = { sampleRate: 16_000, keepsState: false, maxHoldMs: 60_000 };
    const prepared = segmented.prepare(start, { ...VAD_DEFAULTS, detector }, context);
    using pipeline = prepared.create(new Answers({ sampleRate: 16_000 }));
    return pipeline.push(steady, 0, steady.length).events;
  };
  expect(events("energy")).toEqual([]);
  expect(events("fixed")).toEqual([{ type: "active", time: 0 }]);
});

describe.each(Object.entries(DETECTORS))(`the %s detector (seed ${seed})`, (_, kind) => {
  test("a window has its nominal length at every sample rate, give or take half a sample", () => {
    for (const rate of [...RATES, MIN_SAMPLE_RATE, 11_025, 44_100, 383_987, MAX_SAMPLE_RATE]) {
      using detector = kind.create(rate, VAD_DEFAULTS);
      expect(Number.isInteger(detector.windowSamples)).toBe(true);
      expect(Math.abs(detector.windowSamples - (rate * kind.windowMs) / 1000)).toBeLessThanOrEqual(0.5);
    }
  });

  test.each(RATES)("every window is decided once, on its last sample, at %d Hz", (rate) => {
    using detector = kind.create(rate, VAD_DEFAULTS);
    const { windowSamples } = detector;
    const samples = whiteNoise(3 * windowSamples + 1, -30, seed);
    let decided = 0;
    for (let i = 0; i < samples.length; i++) {
      detector.push(samples, i, 1, () => (decided += 1));
      expect(decided).toBe(Math.floor((i + 1) / windowSamples));
    }
    detector.push(samples, 0, 0, () => (decided += 1));
    expect(decided).toBe(3);
    detector.push(samples, 0, windowSamples - 1, () => (decided += 1));
    expect(decided).toBe(4);
  });

  test("any number of windows can be completed by one call", () => {
    const rate = 8000;
    using detector = kind.create(rate, VAD_DEFAULTS);
    const samples = bursts(1500 * detector.windowSamples + 3, rate, seed);
    const whole = push(detector, samples, [samples.length]);
    expect(whole.length).toBe(1500);
    using other = kind.create(rate, VAD_DEFAULTS);
    expect(push(other, samples, [detector.windowSamples])).toEqual(whole);
  });

  test.each(RATES)(
    "decisions and levels do not depend on how the samples are cut or where they lie, at %d Hz",
    (rate) => {
      const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 * rate }));
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 3 * rate }),
          fc.nat(),
          fc.array(size, { minLength: 1, maxLength: 10 }),
          fc.nat(100),
          (length, noiseSeed, sizes, lead) => {
            const samples = bursts(length, rate, noiseSeed);
            using detector = kind.create(rate, VAD_DEFAULTS);
            expect(push(detector, samples, sizes, lead)).toEqual(decide(kind, samples, rate));
          },
        ),
        { numRuns: 20, seed },
      );
    },
  );

  test.each(RATES)("levels are in dBFS at %d Hz", (rate) => {
    for (const level of [-10, -40, -70]) {
      for (const { levelDb } of decide(kind, sine(rate, 1000, level, rate), rate)) {
        expect(Math.abs(levelDb - level)).toBeLessThan(3);
      }
    }
  });

  test("the level is a finite number for silence, for clipped audio and beyond full scale", () => {
    for (const sample of [0, 1, -1, 8, 1e-30]) {
      const samples = Float32Array.from({ length: 16_000 }, (_, i) => (i % 3 === 0 ? -sample : sample));
      for (const { levelDb } of decide(kind, samples, 16_000)) {
        expect(levelDb).toBeGreaterThanOrEqual(-120);
        expect(levelDb).toBeLessThanOrEqual(30);
      }
    }
  });

  test.each(RATES)("silence is not speech at %d Hz", (rate) => {
    for (const samples of [new Float32Array(3 * rate), whiteNoise(3 * rate, -75, seed)]) {
      const decisions = decide(kind, samples, rate);
      expect(decisions.length).toBeGreaterThan(0);
      expect(decisions.filter(({ speech }) => speech)).toEqual([]);
    }
  });

  test.each(RATES)("speech 20 dB above the noise is found, and the noise around it is not speech, at %d Hz", (rate) => {
    const decisions = decide(kind, conversation(rate, seed), rate);
    /** The number of windows between two times, and how many of them are speech. */
    const between = (from: number, to: number) => {
      const part = decisions.slice(Math.ceil((from * 1000) / kind.windowMs), Math.floor((to * 1000) / kind.windowMs));
      return { windows: part.length, speech: part.filter(({ speech }) => speech).length };
    };
    const spoken = between(2, 3.5);
    expect(spoken.speech).toBeGreaterThan(spoken.windows / 3);
    expect(between(0, 1.95).speech).toBe(0);
    expect(between(3.65, 4.5).speech).toBe(0);
  });

  test("nothing below floor_dbfs and threshold_db is speech, and quieter audio with a lower floor is decided alike", () => {
    if (!kind.usesFloor) return expect(kind.noiseFloor).toContain("dBFS");
    const samples = conversation(16_000, seed);
    const found = (gain: number, floor_dbfs: number) => {
      using detector = kind.create(16_000, { ...VAD_DEFAULTS, floor_dbfs });
      const scaled = samples.map((sample) => gain * sample);
      return push(detector, scaled, [samples.length]).map(({ speech }) => speech);
    };
    expect(found(1, -70)).toContain(true);
    expect(found(0.01, -70)).not.toContain(true);
    // A factor of two is exact, and has 6.0206 dB.
    expect(found(1 / 16, -70 - 80 * Math.log10(2))).toEqual(found(1, -70));
  });

  test("a higher threshold_db finds less speech", () => {
    const samples = conversation(16_000, seed);
    const found = (threshold_db: number) =>
      decide(kind, samples, 16_000, threshold_db).filter(({ speech }) => speech).length;
    expect(found(3)).toBeGreaterThan(found(20));
    expect(found(40)).toBe(0);
  });

  test("a new detector is not influenced by those before it", () => {
    const samples = bursts(16_000, 16_000, seed);
    const first = decide(kind, samples, 16_000);
    decide(kind, whiteNoise(20_000, -3, seed), 16_000);
    expect(decide(kind, samples, 16_000)).toEqual(first);
  });

  test("detectors that take turns do not mix, whatever their kinds and rates", () => {
    const streams = Object.values(DETECTORS).flatMap((other, n) =>
      [kind, other].map((each, i) => {
        const rate = RATES[(n + 2 * i) % RATES.length]!;
        const samples = bursts(2 * rate, rate, seed + n + i);
        return { each, rate, samples, detector: each.create(rate, VAD_DEFAULTS), at: 0, decisions: [] as Decision[] };
      }),
    );
    const random = seeded(seed);
    while (streams.some(({ at, samples }) => at < samples.length)) {
      for (const stream of streams) {
        const { detector, samples, at, decisions } = stream;
        const length = Math.min(Math.floor(random() * 5000), samples.length - at);
        detector.push(samples, at, length, (speech, levelDb) => decisions.push({ speech, levelDb }));
        stream.at += length;
      }
    }
    for (const { each, rate, samples, detector, decisions } of streams) {
      expect(decisions).toEqual(decide(each, samples, rate));
      detector[Symbol.dispose]();
    }
  });

  test("a detector may be disposed twice", () => {
    const detector = kind.create(16_000, VAD_DEFAULTS);
    detector[Symbol.dispose]();
    detector[Symbol.dispose]();
  });
});
