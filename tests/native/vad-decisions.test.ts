import { describe, expect, test } from "bun:test";

import { seeded } from "../support/audio.ts";
import { concat, detect, mix, sine, speechWindows, whiteNoise } from "../support/native/vad-signals.ts";

const RATE = 16_000;
const MINUTE = 60 * RATE;
/** Windows after which the noise floor has followed a louder noise: native/vad.c. */
const FOLLOWED = 300;

const seconds = (count: number): Float32Array => new Float32Array(count * RATE);

/** Syllables of 200 ms, 5 a second, with silence between them. */
function syllables(length: number, levelDb: number, rate = RATE): Float32Array {
  return sine(length, 500, levelDb, rate).map((sample, i) => sample * Math.sin((Math.PI * 5 * i) / rate) ** 2);
}

describe("a minute without speech has no window of speech:", () => {
  test.each([-90, -60, -50, -40, -30, -20, -6])("white noise of %d dBFS", (levelDb) => {
    expect(speechWindows(detect(whiteNoise(MINUTE, levelDb, 100 - levelDb)))).toEqual([]);
  });

  test.each([4000, 8000, 11_025, 44_100, 48_000])("white noise at %d Hz", (rate) => {
    expect(speechWindows(detect(whiteNoise(60 * rate, -30, rate), rate))).toEqual([]);
  });

  test("digital silence", () => {
    expect(speechWindows(detect(new Float32Array(MINUTE)))).toEqual([]);
  });

  test("dither of 16 and of 8 bits", () => {
    for (const bits of [16, 8]) {
      const random = seeded(bits);
      const step = 2 ** (1 - bits);
      expect(
        speechWindows(detect(new Float32Array(MINUTE).map(() => step * Math.round(random() + random() - 1)))),
      ).toEqual([]);
    }
  });

  test.each([50, 60])("mains hum of %d Hz at -20 dBFS with harmonics", (mains) => {
    const hum = mix(
      sine(MINUTE, mains, -20),
      sine(MINUTE, 2 * mains, -30),
      sine(MINUTE, 3 * mains, -34),
      whiteNoise(MINUTE, -65, 7),
    );
    expect(speechWindows(detect(hum))).toEqual([]);
  });

  test("DC, and jumps of DC without other sound", () => {
    expect(speechWindows(detect(new Float32Array(MINUTE).fill(0.5)))).toEqual([]);
    const jumps = new Float32Array(MINUTE).map((_, i) => (i % (2 * RATE) < RATE ? 0.3 : -0.3));
    expect(speechWindows(detect(jumps))).toEqual([]);
  });

  test("a held tone", () => {
    expect(speechWindows(detect(sine(MINUTE, 1000, -20)))).toEqual([]);
  });

  test("noise that fades in within 50 ms", () => {
    const noise = whiteNoise(MINUTE, -25, 8).map((sample, i) => sample * Math.min(1, i / 800));
    expect(speechWindows(detect(noise))).toEqual([]);
  });

  test("noise with stretches of zeros, as from a microphone that is muted", () => {
    const noise = whiteNoise(MINUTE, -30, 9).map((sample, i) => (i % (7 * RATE) > 5 * RATE ? 0 : sample));
    expect(speechWindows(detect(noise))).toEqual([]);
  });
});

describe("a sound over noise", () => {
  const noiseDb = -50;
  const begin = 300;
  const windows = 50;

  function burst(aboveDb: number): Float32Array {
    // A quarter of the power of white noise at 16 kHz is in the detector's band.
    const tone = sine(windows * 160, 700, noiseDb - 6 + aboveDb);
    return mix(whiteNoise(8 * RATE, noiseDb, 10), concat(new Float32Array(begin * 160), tone));
  }

  test("is found from its first window to its last, give or take the smoothing", () => {
    for (const thresholdDb of [3, 6, 10, 20, 30]) {
      const found = speechWindows(detect(burst(thresholdDb + 6), RATE, thresholdDb));
      const [first = 0, last = 0] = [found[0], found.at(-1)];
      expect(first).toBeGreaterThanOrEqual(begin);
      expect(first).toBeLessThanOrEqual(begin + 2);
      expect(last).toBeGreaterThanOrEqual(begin + windows - 1);
      expect(last).toBeLessThanOrEqual(begin + windows + 6);
      expect(found).toHaveLength(last + 1 - first);
    }
  });

  test("that stays below the threshold is not", () => {
    for (const thresholdDb of [6, 10, 20, 30, 40]) {
      expect(speechWindows(detect(burst(thresholdDb - 4), RATE, thresholdDb))).toEqual([]);
    }
  });

  test("that dips by less than the hysteresis stays speech", () => {
    const dips = burst(14).map((sample, i) => (Math.floor(i / 1600) % 2 === 1 ? sample * 0.66 : sample));
    const found = speechWindows(detect(dips));
    expect(found.length).toBeGreaterThanOrEqual(windows - 3);
    expect(found).toHaveLength((found.at(-1) ?? 0) + 1 - (found[0] ?? 0));
  });

  test("is not speech below -60 dBFS, however quiet the room", () => {
    const whisper = (levelDb: number): Float32Array => concat(seconds(3), sine(RATE, 700, levelDb), seconds(1));
    for (const roomDb of [-70, -76, -90]) {
      const room = whiteNoise(5 * RATE, roomDb, 11);
      expect(speechWindows(detect(mix(room, whisper(-62))))).toEqual([]);
      expect(speechWindows(detect(mix(room, whisper(-48)))).length).toBeGreaterThan(95);
    }
  });

  test("of half a second is found at every rate", () => {
    for (const rate of [4000, 5999, 8000, 11_025, 12_345, 22_050, 44_100, 47_999, 192_000, 384_000]) {
      const noise = whiteNoise(2 * rate, -60, rate);
      const tone = concat(new Float32Array(rate), sine(rate / 2, 700, -30, rate));
      const found = speechWindows(detect(mix(noise, tone), rate));
      expect(found[0]).toBeGreaterThanOrEqual(99);
      expect(found[0]).toBeLessThanOrEqual(101);
      expect(found.length).toBeGreaterThanOrEqual(48);
      expect(found.length).toBeLessThanOrEqual(60);
    }
  });
});

describe("sound between gaps of zeros, as from a gate or a synthesiser,", () => {
  test.each([0.3, 1, 2])("is found every time, for two minutes: bursts of %d s", (burst) => {
    const samples = Math.round(burst * RATE);
    for (const sound of [sine(samples, 440, -13), whiteNoise(samples, -15, 5)]) {
      const cycle = concat(new Float32Array(RATE / 2), sound);
      const cycles = Math.floor((2 * MINUTE) / cycle.length);
      const { speech } = detect(concat(...Array.from({ length: cycles }, () => cycle)));
      const windows = cycle.length / 160;
      for (let i = 0; i < cycles; i++) {
        const found = speech.slice(i * windows, (i + 1) * windows).filter((window) => window === 1).length;
        expect(found, `burst ${i}`).toBeGreaterThan((samples / 160) * 0.9);
      }
    }
  });
});

describe("the noise floor", () => {
  test.each([15, 30, 40])(
    "follows a noise that is %d dB louder within 3 s, and then speech over it is found",
    (step) => {
      const quiet = whiteNoise(10 * RATE, -60, 12);
      const loud = whiteNoise(20 * RATE, -60 + step, 13);
      const tone = concat(seconds(25), sine(RATE, 700, -60 + step - 6 + 16));
      const found = speechWindows(detect(mix(concat(quiet, loud), tone)));
      const late = found.filter((window) => window >= 1000 + FOLLOWED);
      expect(late[0]).toBeGreaterThanOrEqual(2500);
      expect(late[0]).toBeLessThanOrEqual(2502);
      expect(late.length).toBeGreaterThanOrEqual(97);
      expect(late.length).toBeLessThanOrEqual(106);
    },
  );

  test("follows a noise that became quieter within a second", () => {
    const noise = concat(whiteNoise(10 * RATE, -30, 14), whiteNoise(10 * RATE, -60, 15));
    const tone = concat(seconds(11), sine(RATE, 700, -45));
    expect(speechWindows(detect(mix(noise, tone))).length).toBeGreaterThanOrEqual(97);
  });

  test("is not lifted by a minute of syllables without a pause", () => {
    const samples = mix(whiteNoise(MINUTE, -60, 16), syllables(MINUTE, -20));
    const { speech } = detect(samples);
    const share = (from: number, to: number): number =>
      speech.slice(from, to).filter((is) => is === 1).length / (to - from);
    expect(share(100, 400)).toBeGreaterThan(0.7);
    expect(share(5600, 5900)).toBeGreaterThan(0.95 * share(100, 400));
  });

  test("of a stream that begins in the middle of a syllable is found at its end", () => {
    const samples = mix(whiteNoise(3 * RATE, -60, 17), syllables(4 * RATE, -20).slice(RATE / 10));
    const found = speechWindows(detect(samples));
    expect(found[0]).toBeLessThan(25);
    expect(found.filter((window) => window < 300).length).toBeGreaterThan(180);
  });

  test("is low after zeros at the start: the first syllable is found at once, noise is followed within 3 s", () => {
    const zeros = seconds(1);
    const speech = concat(zeros, syllables(RATE, -30).slice(RATE / 10));
    expect(speechWindows(detect(speech))[0]).toBeLessThanOrEqual(101);
    const noise = concat(zeros, whiteNoise(20 * RATE, -30, 20));
    expect(speechWindows(detect(noise)).every((window) => window < 100 + FOLLOWED)).toBe(true);
  });

  test("is kept over digital silence, so speech after it is found at once", () => {
    const samples = concat(
      whiteNoise(2 * RATE, -60, 18),
      seconds(20),
      mix(whiteNoise(RATE, -60, 19), sine(RATE, 700, -30)),
    );
    expect(speechWindows(detect(samples))[0]).toBe(2200);
  });
});
