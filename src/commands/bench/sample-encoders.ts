import type { SampleFormat } from "../../lib/sample-format.ts";

/** Writes a sample from -1 to 1 at a byte offset. */
type Encode = (to: DataView, offset: number, sample: number) => void;

const littleEndian = true;

const ENCODERS: Readonly<Record<SampleFormat, Encode>> = {
  u8: (to, offset, sample) => to.setUint8(offset, quantised(sample, 8) + 128),
  s16: (to, offset, sample) => to.setInt16(offset, quantised(sample, 16), littleEndian),
  s24: (to, offset, sample) => {
    const value = quantised(sample, 24);
    to.setUint16(offset, value & 0xffff, littleEndian);
    to.setInt8(offset + 2, value >> 16);
  },
  s32: (to, offset, sample) => to.setInt32(offset, quantised(sample, 32), littleEndian),
  f32: (to, offset, sample) => to.setFloat32(offset, sample, littleEndian),
  f64: (to, offset, sample) => to.setFloat64(offset, sample, littleEndian),
  mulaw: (to, offset, sample) => to.setUint8(offset, mulaw(quantised(sample, 16))),
  alaw: (to, offset, sample) => to.setUint8(offset, alaw(quantised(sample, 16))),
};

export function encodeSample(format: SampleFormat): Encode {
  return ENCODERS[format];
}

function quantised(sample: number, bits: number): number {
  const full = 2 ** (bits - 1);
  return Math.max(-full, Math.min(full - 1, Math.round(sample * full)));
}

/** ITU-T G.711 mu-law of a 16-bit sample: sign, segment and step of the magnitude plus 132, inverted. */
function mulaw(value: number): number {
  const magnitude = Math.min(Math.abs(value), 32_635) + 132;
  const segment = 31 - Math.clz32(magnitude) - 7;
  const step = (magnitude >> (segment + 3)) & 0x0f;
  return ~((value < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
}

/** ITU-T G.711 A-law of a 16-bit sample: sign, segment and step, even bits inverted. */
function alaw(value: number): number {
  const magnitude = value < 0 ? -value - 1 : value;
  const segment = magnitude < 256 ? 0 : 31 - Math.clz32(magnitude) - 7;
  const step = (magnitude >> (segment === 0 ? 4 : segment + 3)) & 0x0f;
  return ((value < 0 ? 0 : 0x80) | (segment << 4) | step) ^ 0x55;
}
