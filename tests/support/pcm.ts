import { SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { seeded } from "./audio.ts";

/** Bytes of `count` samples of noise in one format, and `extra` bytes more. */
export function noise(format: SampleFormat, count: number, seed: number, extra: number): Uint8Array {
  const next = seeded(seed);
  const bytes = new Uint8Array(count * SAMPLE_FORMATS[format].bytes + extra);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(next() * 256);
  if (format === "f32") for (let i = 0; i < count; i++) view.setFloat32(i * 4, next() * 2 - 1, true);
  if (format === "f64") for (let i = 0; i < count; i++) view.setFloat64(i * 8, next() * 2 - 1, true);
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
