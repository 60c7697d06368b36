import { join } from "node:path";

import { Resampler } from "../../src/native/resampler.ts";

/** The repository's recording: 18 s of two people speaking, a side each. */
export const RECORDING = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");

const HEADER_BYTES = 44;
const RATE = 48_000;

/** One side of the recording at `rate` Hz; 0 is a reader, 1 short commands. */
export async function recorded(side: 0 | 1, rate = 16_000): Promise<Float32Array> {
  const bytes = Buffer.from(await Bun.file(RECORDING).arrayBuffer());
  const frames = (bytes.length - HEADER_BYTES) / 4;
  const samples = Float32Array.from(
    { length: frames },
    (_, i) => bytes.readInt16LE(HEADER_BYTES + 4 * i + 2 * side) / 32_768,
  );
  using resampler = new Resampler(RATE, rate);
  const out = new Float32Array(resampler.maxOutput(frames) + rate);
  const length = resampler.process(samples, 0, frames, out, 0);
  return out.slice(0, length + resampler.flush(out, length, out.length - length));
}
