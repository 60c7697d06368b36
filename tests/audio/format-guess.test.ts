import { expect, test } from "bun:test";

import { FormatGuess, type Guess } from "../../src/audio/format-guess.ts";
import { SAMPLE_FORMAT_NAMES, type SampleFormat } from "../../src/lib/sample-format.ts";
import { encode, seeded } from "../support/audio.ts";
import { reversed } from "../support/foreign-audio.ts";
import { cut } from "../support/pcm.ts";
import { recorded } from "../support/recorded.ts";

interface Announced {
  readonly format: SampleFormat;
  readonly channels?: number;
  readonly rate?: number;
}

/** The guess about bytes that come in messages of this size. */
function guess(bytes: Uint8Array, { format, channels = 1, rate = 16_000 }: Announced, size = 3200): Guess | undefined {
  const formatGuess = new FormatGuess(format, channels, rate);
  for (const message of cut(bytes, [size])) if (!formatGuess.done) formatGuess.push(message, 0, message.length);
  return formatGuess.guess;
}

/** A guess in short: `f32`, `s16 big-endian`, `s16 + 1`. */
function brief(found: Guess | undefined): string {
  if (found === undefined || typeof found === "string") return found ?? "as announced";
  return `${found.format}${found.bigEndian ? " big-endian" : ""}${found.shift > 0 ? ` + ${found.shift}` : ""}`;
}

function limited(samples: Float32Array, gain: number): Float32Array {
  return samples.map((sample) => Math.max(-1, Math.min(0.99997, gain * sample)));
}

/** Speech from some places of both sides of the recording. */
async function speech(rate: number, gain = 1): Promise<Float32Array[]> {
  const sides = await Promise.all([recorded(0, rate), recorded(1, rate)]);
  return sides.flatMap((side) =>
    [0, 3, 5.5, 9.2, 12].map((from) => limited(side.subarray(from * rate, (from + 6) * rate), gain)),
  );
}

/** What the speech looks like, each guess with how often it is made. */
function tally(streams: readonly Uint8Array[], announced: Announced): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const bytes of streams) {
    const found = brief(guess(bytes, announced));
    counts[found] = (counts[found] ?? 0) + 1;
  }
  return counts;
}

/** Formats and rates: all formats at a low rate, and the usual format at others. */
const ANNOUNCED: readonly (readonly [format: SampleFormat, rate: number])[] = [
  ...SAMPLE_FORMAT_NAMES.map((format) => [format, 8000] as const),
  ["s16", 16_000],
  ["s16", 48_000],
];

test.each(ANNOUNCED)(
  "speech that is announced as %s and is looks like it, at %d Hz, in one channel and in two",
  async (format, rate) => {
    for (const gain of [0.1, 1, 4]) {
      const streams = await speech(rate, gain);
      expect(
        tally(
          streams.map((samples) => encode(format, samples)),
          { format, rate },
        ),
      ).toEqual({ "as announced": 10 });
      const pairs = streams.slice(0, 5).map((left, i) => encode(format, left, i < 3 ? left : (streams[i + 5] ?? left)));
      expect(tally(pairs, { format, rate, channels: 2 })).toEqual({ "as announced": 5 });
    }
  },
);

/** Pairs that clients really mistake: what is announced, what is sent, and in how many of 10 streams it is found. */
const MISTAKES: readonly [announced: SampleFormat, sent: SampleFormat, found: number][] = [
  ["s16", "f32", 10],
  ["s16", "f64", 9],
  ["s16", "s32", 10],
  ["s16", "s24", 10],
  ["s16", "mulaw", 9],
  ["s16", "alaw", 9],
  ["f32", "s16", 10],
  ["f32", "mulaw", 9],
  ["f32", "s32", 10],
  ["s24", "s16", 10],
  ["s32", "f32", 8],
  ["mulaw", "s16", 8],
  ["mulaw", "f32", 9],
  ["alaw", "s16", 9],
  ["mulaw", "alaw", 5],
  ["alaw", "mulaw", 5],
];

test.each(MISTAKES)(
  "speech that is announced as %s and is %s is found in %d of 10 streams",
  async (announced, sent, found) => {
    for (const rate of [8000, 16_000]) {
      const streams = (await speech(rate)).map((samples) => encode(sent, samples));
      const counts = tally(streams, { format: announced, rate });
      expect([rate, (counts[sent] ?? 0) >= found, counts]).toEqual([rate, true, counts]);
      // Never something else instead.
      expect((counts[sent] ?? 0) + (counts["as announced"] ?? 0)).toBeGreaterThanOrEqual(9);
    }
  },
);

test.each(["s16", "s24", "s32", "f32"] as const)(
  "big-endian speech that is announced as %s is found, at any level",
  async (format) => {
    for (const gain of [0.01, 0.1, 1]) {
      const streams = (await speech(16_000, gain)).map((samples) => reversed(format, encode(format, samples)));
      const counts = tally(streams, { format });
      expect([gain, counts]).toEqual([gain, { [`${format} big-endian`]: 10 }]);
    }
  },
);

test("16-bit speech that begins with half a sample is found", async () => {
  const streams = (await speech(16_000)).map((samples) => encode("s16", samples).subarray(1));
  expect(tally(streams, { format: "s16" })["s16 + 1"]).toBeGreaterThanOrEqual(9);
});

test("random bytes look compressed in every format", () => {
  const random = seeded(5);
  const bytes = Uint8Array.from({ length: 400_000 }, () => Math.floor(256 * random()));
  for (const format of SAMPLE_FORMAT_NAMES) expect([format, guess(bytes, { format })]).toEqual([format, "compressed"]);
});

/** Sounds that are no speech. `t` is in seconds. */
function sounds(rate: number): Record<string, Float32Array> {
  const random = seeded(7);
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const make = (at: (t: number, i: number) => number) =>
    Float32Array.from({ length: 3 * rate }, (_, i) => at(i / rate, i));
  const sine = (hz: number, t: number) => Math.sin(2 * Math.PI * hz * t);
  let [brown, last] = [0, 0];
  const made = {
    "white noise": make(() => 0.2 * gauss()),
    "clipped noise": make(() => 2 * gauss()),
    "brown noise": make(() => (brown = 0.999 * brown + 0.02 * gauss())),
    "blue noise": make(() => {
      const next = gauss();
      const step = next - last;
      last = next;
      return 0.2 * step;
    }),
    "a tone": make((t) => 0.5 * sine(1000, t)),
    "a tone of four samples": make((_, i) => 0.5 * Math.sin((Math.PI / 2) * i + 0.3)),
    "a tone near half the rate": make((t) => 0.5 * sine(0.41 * rate, t)),
    "a sweep": make((t) => 0.6 * sine((rate / 24) * t, t)),
    DTMF: make((t) => (t % 0.2 < 0.1 ? 0.4 * (sine(941, t) + sine(1633, t)) : 0)),
    "a square wave": make((t) => (sine(220, t) > 0 ? 0.5 : -0.5)),
    "a fast square wave": make((_, i) => (i % 3 < 1 ? 0.8 : -0.8)),
    "a sawtooth": make((t) => 1.9 * ((170 * t) % 1) - 0.95 + 0.001 * gauss()),
    hum: make((t) => 0.3 * sine(50, t) + 0.1 * sine(150, t)),
    "noise around a steady value": make(() => 0.5 + 0.001 * gauss()),
    clicks: make(() => (random() < 0.001 ? 2 * random() - 1 : 0)),
    "gated noise": make((t) => (t % 0.1 < 0.03 ? 0.3 * gauss() : 0)),
    "chords with drums": make((t) => {
      const beat = (4 * t) % 1;
      const notes = [220, 277.2, 329.6].reduce((sum, hz) => sum + sine(hz, t) + sine(3 * hz, t) / 3, 0);
      return Math.exp(-2 * beat) * 0.2 * notes + (beat < 0.05 ? 0.3 * gauss() : 0);
    }),
    silence: make(() => 0),
  };
  return made;
}

test.each(ANNOUNCED)("noise, tones and music that are announced as %s look like it, at %d Hz", (format, rate) => {
  for (const [title, samples] of Object.entries(sounds(rate))) {
    for (const gain of [0.1, 1]) {
      const sound = limited(samples, gain);
      const found = [
        guess(encode(format, sound), { format, rate }),
        guess(encode(format, sound, sound), { format, rate, channels: 2 }),
      ];
      expect([title, gain, ...found.map(brief)]).toEqual([title, gain, "as announced", "as announced"]);
    }
  }
});

test("the guess does not depend on how the bytes are cut", async () => {
  const samples = await recorded(1);
  for (const sent of ["s16", "f32", "mulaw"] as const) {
    const bytes = encode(sent, samples).subarray(0, 200_000);
    const whole = guess(bytes, { format: "s16" }, bytes.length);
    for (const size of [1, 7, 959, 960, 961, 50_000]) expect(guess(bytes, { format: "s16" }, size)).toEqual(whole);
  }
});

test("quiet audio is looked at for 30 s, speech until a second of it has come", async () => {
  const seconds = (bytes: Uint8Array) => {
    const formatGuess = new FormatGuess("s16", 1, 16_000);
    let at = 0;
    for (; !formatGuess.done && at < bytes.length; at += 320) formatGuess.push(bytes, at, at + 320);
    return at / 32_000;
  };
  expect(Math.abs(seconds(new Uint8Array(40 * 32_000)) - 30)).toBeLessThan(4);
  expect(seconds(encode("s16", await recorded(0)))).toBeLessThan(6);
});
