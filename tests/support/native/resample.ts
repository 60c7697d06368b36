import type { Resampler } from "../../../src/native/resampler.ts";

/** Output length for `length` samples read: round(length * outRate / inRate), halves up, in exact integers. */
export function exactLength(length: number, inRate: number, outRate: number): number {
  return Number((2n * BigInt(length) * BigInt(outRate) + BigInt(inRate)) / (2n * BigInt(inRate)));
}

/**
 * The whole output of a resampler for `input`, cut after each of `cuts` samples (used in turn) and flushed in pieces of
 * `flushPiece`. Input and output have odd offsets in larger arrays. Throws when a call writes another number of samples
 * than it announced.
 */
export function resample(
  resampler: Resampler,
  input: Float32Array,
  cuts: readonly number[] = [input.length],
  flushPiece = 1000,
): Float32Array {
  const pieces: Float32Array[] = [];
  for (let at = 0, turn = 0; at < input.length; turn++) {
    const length = Math.min(
      Math.max(cuts[turn % cuts.length] ?? 1, turn % cuts.length === 0 ? 1 : 0),
      input.length - at,
    );
    const announced = resampler.maxOutput(length);
    const out = new Float32Array(announced + 3);
    const written = resampler.process(input, at, length, out, 3);
    if (written !== announced) throw new Error(`${written} samples written, but ${announced} were announced`);
    pieces.push(out.subarray(3));
    at += length;
  }
  for (;;) {
    const out = new Float32Array(flushPiece + 1);
    const written = resampler.flush(out, 1, flushPiece);
    if (written === 0) break;
    pieces.push(out.subarray(1, 1 + written));
  }
  return joined(pieces);
}

function joined(pieces: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The same bits, so that -0 and 0 differ and NaN equals NaN. */
export function bits(samples: Float32Array): Uint32Array {
  return new Uint32Array(samples.slice().buffer);
}

export function sine(frequency: number, rate: number, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * ((frequency * i) % rate)) / rate));
}

/** Pairs that are exact, awkward, extreme and large. */
export const PAIRS: readonly (readonly [number, number])[] = [
  [48000, 16000],
  [44100, 16000],
  [32000, 16000],
  [8000, 16000],
  [16000, 48000],
  [11025, 16000],
  [12345, 16000],
  [47999, 16000],
  [383987, 16000],
  [16000, 12345],
  [22050, 44100],
  [48000, 4000],
  [384000, 4000],
  [4000, 384000],
  [4001, 383987],
  [383987, 384000],
  [384000, 16000],
];
