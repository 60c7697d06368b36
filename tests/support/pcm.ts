import { SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { seeded } from "./audio.ts";
import { SAMPLE_CODECS } from "./sample-codecs.ts";

/** Bytes of `count` samples of noise in one format, and `extra` bytes more. */
export function noise(format: SampleFormat, count: number, seed: number, extra: number): Uint8Array {
  const next = seeded(seed);
  const { bytes: width, is_float } = SAMPLE_FORMATS[format];
  const bytes = new Uint8Array(count * width + extra);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(next() * 256);
  // Random bits of a float are mostly out of range.
  if (is_float) for (let i = 0; i < count; i++) SAMPLE_CODECS[format].write(view, i * width, next() * 2 - 1);
  return bytes;
}

/** Cuts bytes into messages of these sizes, used in turn. */
export function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(at, end);
    at = end;
  }
}
