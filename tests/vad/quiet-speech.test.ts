import { describe, expect, test } from "bun:test";

import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { Endpointer } from "../../src/vad/endpointer.ts";
import { energy } from "../../src/vad/energy.ts";
import { QuietSpeech } from "../../src/vad/quiet-speech.ts";
import { seeded } from "../support/audio.ts";
import { mix, sine, whiteNoise } from "../support/native/vad-signals.ts";
import { recorded } from "../support/recorded.ts";

const RATE = 16_000;
const MINUTE = 60 * RATE;
const FLOORS = [-100, -90, -70, -40];

interface Heard {
  /** Messages of `too_quiet`. */
  readonly warnings: string[];
  /** Start and end, in windows. */
  readonly utterances: number[][];
}

function hear(samples: Float32Array, floor_dbfs: number = VAD_DEFAULTS.floor_dbfs, rate = RATE): Heard {
  const settings = { ...VAD_DEFAULTS, floor_dbfs };
  using detector = energy.create(rate, settings);
  const { windowSamples } = detector;
  const endpointer = new Endpointer(settings, rate, windowSamples);
  const quiet = new QuietSpeech(settings, energy.windowMs);
  const warnings: (string | undefined)[] = [];
  const utterances: number[][] = [];
  const take: Parameters<Endpointer["decide"]>[2] = (transition) => {
    if (transition.type !== "utterance") return;
    utterances.push([transition.start / windowSamples, transition.end / windowSamples]);
  };
  detector.push(samples, 0, samples.length, (speech, levelDb) => {
    warnings.push(quiet.push(speech, levelDb));
    endpointer.decide(speech, levelDb, take);
  });
  warnings.push(quiet.end());
  endpointer.end(samples.length, take);
  return { warnings: warnings.filter((message) => message !== undefined), utterances };
}

/** Scales, and rounds to 16 bits as a file has them. */
function scaled(samples: Float32Array, gainDb: number): Float32Array {
  const gain = 10 ** (gainDb / 20);
  return samples.map((sample) => Math.round(32_768 * gain * sample) / 32_768);
}

describe.each([0, 1] as const)("recorded speech, side %d,", (side) => {
  test.each([-34, -40, -46, -55, -60])(
    "scaled by %d dB is too quiet; level and gain are named, once",
    async (gainDb) => {
      const { warnings } = hear(scaled(await recorded(side), gainDb));
      expect(warnings.length).toBe(1);
      const [, level, begins, gain, floor] =
        /^What may be speech has about (-\d+) dBFS, and speech begins at (-\d+) dBFS: raise the recording level by (\d+) dB, or lower vad.floor_dbfs to (-\d+)\.$/.exec(
          warnings[0] ?? "",
        ) ?? [];
      expect(Math.abs(Number(level) - (gainDb - 25))).toBeLessThanOrEqual(2);
      expect(begins).toBe("-60");
      expect(Math.abs(Number(gain) + gainDb)).toBeLessThanOrEqual(3);
      // Both pieces of advice help.
      expect(hear(scaled(await recorded(side), gainDb + Number(gain))).warnings).toEqual([]);
      expect(hear(scaled(await recorded(side), gainDb), Number(floor)).warnings).toEqual([]);
    },
  );

  test.each([-34, -50, -60])("scaled by %d dB without rounding, as floats are, is too quiet", async (gainDb) => {
    const gain = 10 ** (gainDb / 20);
    expect(hear((await recorded(side)).map((sample) => gain * sample)).warnings.length).toBe(1);
  });

  test.each([12, 0, -10, -20])("scaled by %d dB is not too quiet", async (gainDb) => {
    expect(hear(scaled(await recorded(side), gainDb)).warnings).toEqual([]);
  });

  test("scaled by -40 dB has the utterances of the unscaled one when floor_dbfs is lowered", async () => {
    const loud = await recorded(side);
    const { utterances: wanted } = hear(loud);
    const found = hear(scaled(loud, -40), -100).utterances.flat();
    expect(wanted.length).toBeGreaterThan(2);
    expect(found.length).toBe(wanted.flat().length);
    for (const [i, window] of wanted.flat().entries()) expect(Math.abs(window - found[i]!)).toBeLessThanOrEqual(2);
    // 20 dB less need a floor that is 20 dB lower: -90 dBFS does for 40 dB less what -70 dBFS does for 20 dB less.
    const less = hear(scaled(loud, -20)).utterances.flat();
    const lessFound = hear(scaled(loud, -40), -90).utterances.flat();
    expect(lessFound.length).toBe(wanted.flat().length);
    for (const [i, window] of less.entries()) expect(Math.abs(window - lessFound[i]!)).toBeLessThanOrEqual(2);
  });
});

describe("a minute without speech is not too quiet, whatever the floor:", () => {
  const expectNothing = (samples: Float32Array, rate = RATE) => {
    for (const floor of FLOORS) expect(hear(samples, floor, rate).warnings).toEqual([]);
  };

  test("digital silence", () => expectNothing(new Float32Array(MINUTE)));

  test.each([8, 16])("dither of %d bits, and single steps now and then", (bits) => {
    const random = seeded(bits);
    const step = 2 ** (1 - bits);
    expectNothing(new Float32Array(MINUTE).map(() => step * Math.round(random() + random() - 1)));
    expectNothing(new Float32Array(MINUTE).map(() => (random() < 0.0005 ? step : 0)));
  });

  test.each([-105, -95, -85, -75, -65, -60, -55, -45, -20])("steady noise of %d dBFS", (levelDb) => {
    const noise = whiteNoise(MINUTE, levelDb, 200 - levelDb);
    expectNothing(noise);
    expectNothing(scaled(noise, 0));
  });

  test.each([8000, 48_000])("noise at %d Hz", (rate) => {
    expectNothing(whiteNoise(60 * rate, -68, rate), rate);
  });

  test.each([-90, -75, -65, -55, -20])("hum and a tone of %d dBFS", (levelDb) => {
    expectNothing(mix(sine(MINUTE, 50, levelDb), sine(MINUTE, 100, levelDb - 10), whiteNoise(MINUTE, levelDb - 25, 7)));
    expectNothing(scaled(sine(MINUTE, 1000, levelDb), 0));
  });
});

test("nothing is looked for after a second of clearly audible speech", async () => {
  const speech = await recorded(0);
  const both = new Float32Array(2 * speech.length);
  both.set(speech);
  both.set(scaled(speech, -40), speech.length);
  expect(hear(both).warnings).toEqual([]);
  both.set(both.slice(speech.length));
  both.set(speech, speech.length);
  expect(hear(both).warnings.length).toBe(1);
});
