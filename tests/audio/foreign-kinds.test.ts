import { describe, expect, test } from "bun:test";

import { FOREIGN_KINDS, FOREIGN_WINDOW_BYTES, recogniseForeign } from "../../src/audio/foreign-kinds.ts";
import { SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { encode, freshSeed, seeded } from "../support/audio.ts";
import { FOREIGN_SAMPLES } from "../support/foreign-audio.ts";
import { recorded } from "../support/recorded.ts";

describe.each(FOREIGN_SAMPLES)("$title", ({ id, bytes, needed }) => {
  test(`is recognised as ${id} by its first ${needed} bytes, and not by one less`, () => {
    expect(needed).toBeLessThanOrEqual(FOREIGN_WINDOW_BYTES);
    for (let length = 0; length < needed; length++) {
      expect(recogniseForeign(bytes.subarray(0, length))).toBe("more");
    }
    for (let length = needed; length <= bytes.length; length++) {
      expect(recogniseForeign(bytes.subarray(0, length))).toMatchObject({ id });
    }
  });
});

test("every kind has a sample", () => {
  expect([...new Set(FOREIGN_SAMPLES.map(({ id }) => id))].toSorted()).toEqual(
    FOREIGN_KINDS.map(({ id }) => id).toSorted(),
  );
});

test("a mark anywhere but at the start is audio", () => {
  for (const { bytes } of FOREIGN_SAMPLES)
    expect(recogniseForeign(Buffer.concat([Buffer.of(9), bytes]))).toBeUndefined();
});

test("WAV files are not foreign", () => {
  for (const magic of ["RIFF", "RF64", "BW64"]) {
    const start = Buffer.from(`${magic}\x24\0\0\0WAVEfmt `, "latin1");
    expect(recogniseForeign(start)).toBeUndefined();
  }
});

/** How the recognition ends for each start of a stream at these places of the audio. */
function outcomes(bytes: Uint8Array, starts: Iterable<number>): { kinds: string[]; streams: number; held: number } {
  const found = { kinds: [] as string[], streams: 0, held: 0 };
  for (const at of starts) {
    found.streams += 1;
    let kind = recogniseForeign(bytes.subarray(at, at + 12));
    if (kind === "more") {
      found.held += 1;
      kind = recogniseForeign(bytes.subarray(at, at + FOREIGN_WINDOW_BYTES));
    }
    if (kind !== undefined) found.kinds.push(`${typeof kind === "string" ? kind : kind.id} at byte ${at}`);
  }
  return found;
}

function* steps(end: number, step: number): Generator<number> {
  for (let at = 0; at < end; at += step) yield at;
}

const seed = freshSeed();

describe.each(SAMPLE_FORMAT_NAMES)("PCM in the format %s", (format) => {
  const { bytes: width } = SAMPLE_FORMATS[format];

  test("speech of any level is not foreign, wherever the stream begins, and is almost never held back", async () => {
    for (const [side, gain] of [
      [0, 0.02],
      [1, 1],
      [0, 6],
    ] as const) {
      const samples = (await recorded(side)).map((sample) => Math.max(-1, Math.min(0.9999, gain * sample)));
      const bytes = encode(format, samples);
      const { kinds, streams, held } = outcomes(bytes, steps(bytes.length - FOREIGN_WINDOW_BYTES, 5 * width));
      expect(kinds).toEqual([]);
      expect(held / streams).toBeLessThan(0.01);
    }
  });

  test("silence, square waves and steady values are not foreign", () => {
    for (const period of [2, 3, 16, 160]) {
      for (const level of [0, 1e-4, 0.01, 0.1, 0.25, 0.5, 0.75, 0.999, 1]) {
        for (const offset of [0, level]) {
          const wave = Float32Array.from(
            { length: 4096 },
            (_, i) => offset + (i % period < period / 2 ? level : -level),
          );
          const bytes = encode(
            format,
            wave.map((sample) => Math.max(-1, Math.min(0.9999, sample))),
          );
          expect(outcomes(bytes, steps(period * width, width)).kinds).toEqual([]);
        }
      }
    }
  });
});

test(`random bytes are not foreign, also behind the header of a frame (seed ${seed})`, () => {
  const random = seeded(seed);
  const bytes = Uint8Array.from({ length: 1_000_000 }, () => Math.floor(256 * random()));
  const end = bytes.length - FOREIGN_WINDOW_BYTES;
  expect(outcomes(bytes, steps(end, 1)).kinds).toEqual([]);
  for (let at = 0; at < end; at += 101) {
    for (const header of ["fffb9044", "ffe318c4", "fff16c40167ffc", "47401110"]) {
      const stream = bytes.slice(at, at + FOREIGN_WINDOW_BYTES);
      stream.set(Uint8Array.fromHex(header));
      expect(recogniseForeign(stream)).toBeUndefined();
    }
  }
});

test("the noise of a silent line is not foreign", () => {
  const random = seeded(seed);
  for (const format of ["mulaw", "alaw", "u8", "s16"] as const) {
    for (const level of [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]) {
      const bytes = encode(
        format,
        Float32Array.from({ length: 50_000 }, () => level * (2 * random() - 1)),
      );
      expect(outcomes(bytes, steps(bytes.length - FOREIGN_WINDOW_BYTES, 1)).kinds).toEqual([]);
    }
  }
});

test("bytes of one value are not foreign", () => {
  for (let value = 0; value < 256; value++) {
    expect(recogniseForeign(new Uint8Array(FOREIGN_WINDOW_BYTES).fill(value))).toBeUndefined();
  }
});
