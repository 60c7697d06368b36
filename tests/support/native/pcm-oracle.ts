import { SAMPLE_FORMATS, type SampleFormat } from "../../../src/lib/sample-format.ts";

/** One decoded sample and the flags that it raises, by the definition in native/streamer_audio.h. */
export interface OracleSample {
  readonly value: number;
  readonly flags: number;
}

function bounded(value: number): OracleSample {
  if (!Number.isFinite(value)) return { value: 0, flags: 1 };
  return { value: Math.min(8, Math.max(-8, value)), flags: Math.abs(value) > 1 ? 2 : 0 };
}

function exact(value: number): OracleSample {
  return { value: Math.fround(value), flags: 0 };
}

/** ITU-T G.711, table 2a: segments of 16 steps, each twice as wide, decision value 33 of 8159, scaled to 16 bits. */
export function mulaw(code: number): number {
  const inverted = 255 - code;
  const segment = (inverted >> 4) & 7;
  const step = inverted & 15;
  const magnitude = (2 * step + 33) * 2 ** segment - 33;
  return (inverted >= 128 ? -4 : 4) * magnitude;
}

/** ITU-T G.711, table 1a: as above with 4096 levels, the first two segments equally wide, even bits inverted. */
export function alaw(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = bits & 15;
  const magnitude = segment === 0 ? 2 * step + 1 : (2 * step + 33) * 2 ** (segment - 1);
  return (bits >= 128 ? 8 : -8) * magnitude;
}

export function oracleSample(format: SampleFormat, bytes: Uint8Array, at: number): OracleSample {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (format) {
    case "u8":
      return exact((view.getUint8(at) - 128) / 128);
    case "s16":
      return exact(view.getInt16(at, true) / 32768);
    case "s24":
      return exact((view.getUint8(at) + view.getUint8(at + 1) * 256 + view.getInt8(at + 2) * 65536) / 8388608);
    case "s32":
      return exact(view.getInt32(at, true) / 2147483648);
    case "f32":
      return bounded(view.getFloat32(at, true));
    case "f64":
      return bounded(Math.fround(view.getFloat64(at, true)));
    case "mulaw":
      return exact(mulaw(view.getUint8(at)) / 32768);
    case "alaw":
      return exact(alaw(view.getUint8(at)) / 32768);
  }
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
