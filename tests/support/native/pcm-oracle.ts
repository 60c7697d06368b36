import { SAMPLE_FORMATS, type SampleFormat } from "../../../src/lib/sample-format.ts";
import { SAMPLE_CODECS } from "../sample-codecs.ts";

/** One decoded sample and the flags that it raises, by the definition in native/streamer_audio.h. */
export interface OracleSample {
  readonly value: number;
  readonly flags: number;
}

function bounded(value: number): OracleSample {
  if (!Number.isFinite(value)) return { value: 0, flags: 1 };
  return { value: Math.min(8, Math.max(-8, value)), flags: Math.abs(value) > 1 ? 2 : 0 };
}

export function oracleSample(format: SampleFormat, bytes: Uint8Array, at: number): OracleSample {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = Math.fround(SAMPLE_CODECS[format].read(view, at));
  return SAMPLE_FORMATS[format].is_float ? bounded(value) : { value, flags: 0 };
}

/** Every channel of whole frames. */
export function oracle(
  format: SampleFormat,
  channels: number,
  bytes: Uint8Array,
): { runs: Float32Array[]; flags: number } {
  const size = SAMPLE_FORMATS[format].bytes;
  const frames = Math.floor(bytes.length / (size * channels));
  let flags = 0;
  const runs = Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: frames }, (_, frame) => {
      const sample = oracleSample(format, bytes, (frame * channels + channel) * size);
      flags |= sample.flags;
      return sample.value;
    }),
  );
  return { runs, flags };
}
