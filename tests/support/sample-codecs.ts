import type { SampleFormat } from "../../src/lib/sample-format.ts";

/** The tests' own definition of a sample format. Values are at full scale from -1 to 1. */
interface SampleCodec {
  read(from: DataView, at: number): number;
  write(to: DataView, at: number, value: number): void;
}

const littleEndian = true;

export const SAMPLE_CODECS: Readonly<Record<SampleFormat, SampleCodec>> = {
  u8: {
    read: (from, at) => (from.getUint8(at) - 128) / 128,
    write: (to, at, value) => to.setUint8(at, integer(value, 8) + 128),
  },
  s16: {
    read: (from, at) => from.getInt16(at, littleEndian) / 2 ** 15,
    write: (to, at, value) => to.setInt16(at, integer(value, 16), littleEndian),
  },
  s24: {
    read: (from, at) => (from.getUint16(at, littleEndian) + from.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
    write(to, at, value) {
      const bits = integer(value, 24);
      to.setUint16(at, bits & 0xffff, littleEndian);
      to.setInt8(at + 2, bits >> 16);
    },
  },
  s32: {
    read: (from, at) => from.getInt32(at, littleEndian) / 2 ** 31,
    write: (to, at, value) => to.setInt32(at, integer(value, 32), littleEndian),
  },
  f32: {
    read: (from, at) => from.getFloat32(at, littleEndian),
    write: (to, at, value) => to.setFloat32(at, value, littleEndian),
  },
  f64: {
    read: (from, at) => from.getFloat64(at, littleEndian),
    write: (to, at, value) => to.setFloat64(at, value, littleEndian),
  },
  mulaw: {
    read: (from, at) => mulawValue(from.getUint8(at)) / 2 ** 15,
    write: (to, at, value) => to.setUint8(at, mulawCode(integer(value, 14) * 4)),
  },
  alaw: {
    read: (from, at) => alawValue(from.getUint8(at)) / 2 ** 15,
    write: (to, at, value) => to.setUint8(at, alawCode(integer(value, 13) * 8)),
  },
};

function integer(value: number, bits: number): number {
  const full = 2 ** (bits - 1);
  return Math.max(-full, Math.min(full - 1, Math.round(value * full)));
}

/** ITU-T G.711, table 2a: segments of 16 steps, each twice as wide, decision value 33 of 8159, scaled to 16 bits. */
export function mulawValue(code: number): number {
  const inverted = 255 - code;
  const segment = (inverted >> 4) & 7;
  const step = inverted & 15;
  const magnitude = (2 * step + 33) * 2 ** segment - 33;
  return (inverted >= 128 ? -4 : 4) * magnitude;
}

/** ITU-T G.711, table 1a: as above with 4096 levels, the first two segments equally wide, even bits inverted. */
export function alawValue(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = bits & 15;
  const magnitude = segment === 0 ? 2 * step + 1 : (2 * step + 33) * 2 ** (segment - 1);
  return (bits >= 128 ? 8 : -8) * magnitude;
}

/** The G.711 code of a 16-bit sample. */
function mulawCode(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32_635) + 132;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function alawCode(sample: number): number {
  const sign = sample >= 0 ? 0x80 : 0;
  const magnitude = Math.min(sample >= 0 ? sample : -sample - 1, 32_767);
  const exponent = magnitude < 256 ? 0 : Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent === 0 ? 4 : exponent + 3)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}
