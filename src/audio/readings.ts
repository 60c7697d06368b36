import { SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { PcmConverter } from "../native/pcm.ts";

/** One way to read bytes as samples. */
export interface Reading {
  readonly format: SampleFormat;
  /** The most significant byte of a sample comes first. */
  readonly bigEndian: boolean;
  /** Bytes before the first whole sample. */
  readonly shift: 0 | 1;
}

/** Bytes of a block: whole samples of every format, and a few milliseconds of any audio. */
export const BLOCK_BYTES = 960;

/** Most roughness of any audio, that of a tone near half the sample rate. */
const MAX_ROUGHNESS = 2;

/** Memory of this thread, and what was read into it last. Reading is synchronous, so all streams share it. */
const samples = new Float32Array(BLOCK_BYTES);
const words = new BigUint64Array(BLOCK_BYTES / 8);
const copied = new Uint8Array(words.buffer);
const START = new Uint32Array(1);
/** Bits PCM_* of the samples. */
let flags = 0;
const converters = new Map<SampleFormat, PcmConverter>();

/** Level of `bytes[offset .. offset + length)` in dBFS, without DC. Infinity when floats are not audio. */
export function levelOf(bytes: Uint8Array, offset: number, length: number, format: SampleFormat): number {
  const count = convert(bytes, offset, length, format);
  return flags === 0 ? 10 * Math.log10(variance(count) + 1e-12) : Infinity;
}

/**
 * Roughness of the block at `offset`, read in one way: the mean square of the difference between samples `lag` apart,
 * relative to that of samples in random order. Audio is smooth, 0 to 0.5; noise has about 1, and so have samples that
 * are read in a wrong way.
 * @param lag samples, those of all channels counted: their number is one frame
 */
export function roughness(bytes: Uint8Array, offset: number, reading: Reading, lag: number): number {
  const { format, bigEndian, shift } = reading;
  const { bytes: width, is_float: isFloat } = SAMPLE_FORMATS[format];
  if (bigEndian) swap(bytes, offset, width);
  const at = (bigEndian ? 0 : offset) + shift;
  const count = convert(bigEndian ? copied : bytes, at, BLOCK_BYTES - shift, format);
  const power = variance(count);
  // Bytes of other formats are mostly floats beyond full scale.
  if (isFloat && power > 1) return 1;
  if (count <= lag || power < 1e-12) return 1;
  let steps = 0;
  for (let i = lag; i < count; i++) {
    const step = (samples[i] ?? 0) - (samples[i - lag] ?? 0);
    steps += step * step;
  }
  return Math.min(MAX_ROUGHNESS, steps / (2 * (count - lag) * power));
}

/** Whether a block has silence, or a period so short that any reading may be smooth: a synthetic tone. */
export function isRepetitive(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < BLOCK_BYTES; i++) copied[i] = bytes[offset + i] ?? 0;
  return new Set(words).size < 0.75 * words.length;
}

/** Part of the bytes of a block that are equal to those `distance` bytes before them. */
export function repetition(bytes: Uint8Array, offset: number, distance: number): number {
  let equal = 0;
  for (let i = offset + distance; i < offset + BLOCK_BYTES; i++) if (bytes[i] === bytes[i - distance]) equal += 1;
  return equal / (BLOCK_BYTES - distance);
}

/**
 * Whether 16-bit samples are only those of 8 bits with a repeated sign, in the wrong order: quiet big-endian audio. It
 * is as smooth as the right reading, only 48 dB louder. 8 bits that were widened to 16 do not repeat the sign.
 */
export function repeatsSigns(bytes: Uint8Array, offset: number): boolean {
  let positive = 0;
  let negative = 0;
  let others = 0;
  for (let i = offset; i < offset + BLOCK_BYTES && others < 0.1 * BLOCK_BYTES; i += 2) {
    const sign = bytes[i] ?? 0;
    const value = bytes[i + 1] ?? 0;
    if (sign === value) continue;
    if (sign === 0 && value < 128) positive += 1;
    else if (sign === 255 && value >= 128) negative += 1;
    else others += 1;
  }
  const all = positive + negative + others;
  return Math.min(positive, negative) > 0.1 * all && others < 0.2 * all;
}

/** Variance of the first `count` samples. */
function variance(count: number): number {
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const sample = samples[i] ?? 0;
    sum += sample;
    squares += sample * sample;
  }
  return Math.max(0, squares - (sum * sum) / count) / count;
}

function convert(bytes: Uint8Array, offset: number, length: number, format: SampleFormat): number {
  const converter = converters.get(format) ?? new PcmConverter(format, 1);
  converters.set(format, converter);
  converter.reset();
  const count = converter.process(bytes, offset, length, samples, START);
  flags = converter.flags;
  return count;
}

/** Copies a block with the bytes of each sample in reverse order. */
function swap(bytes: Uint8Array, offset: number, width: number): void {
  for (let at = 0; at < BLOCK_BYTES; at += width) {
    for (let i = 0; i < width; i++) copied[at + i] = bytes[offset + at + width - 1 - i] ?? 0;
  }
}
