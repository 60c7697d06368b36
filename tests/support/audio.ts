import { SAMPLE_FORMATS, type SampleFormat } from "../../src/lib/sample-format.ts";
import { SAMPLE_CODECS } from "./sample-codecs.ts";

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A seed to print in titles: random, or what STREAMER_SEED names. */
export function freshSeed(): number {
  const given = process.env["STREAMER_SEED"];
  return given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! : Number(given);
}

/** White noise; `level` is its peak. */
export function noise(seconds: number, { rate = 16_000, seed = 1, level = 0.001 } = {}): Float32Array {
  const random = seeded(seed);
  return Float32Array.from({ length: Math.round(seconds * rate) }, () => level * (2 * random() - 1));
}

/** A synthetic voice: a gliding pitch, its harmonics and syllables, over a quiet floor. */
export function voice(seconds: number, { rate = 16_000, seed = 1, level = 0.3 } = {}): Float32Array {
  const samples = noise(seconds, { rate, seed });
  const random = seeded(seed + 1);
  const pitch = 100 + 100 * random();
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const time = i / rate;
    phase += (2 * Math.PI * pitch * (1 + 0.1 * Math.sin(2 * Math.PI * 3 * time))) / rate;
    // Falls to the floor four times a second, as a voice does between syllables: a sound that holds its level is noise.
    const syllable = Math.sin(Math.PI * 4 * time) ** 2;
    let sum = 0;
    for (let harmonic = 1; harmonic <= 8 && harmonic * pitch * 1.1 < rate / 2; harmonic++) {
      sum += Math.sin(harmonic * phase) / harmonic;
    }
    samples[i]! += (level * syllable * sum) / 2;
  }
  return samples;
}

export function concat(...parts: readonly Float32Array[]): Float32Array {
  const joint = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joint.set(part, at);
    at += part.length;
  }
  return joint;
}

/** A pause, then for each of `spoken` that many seconds of voice and a pause of 0.8 s. */
export function speech(spoken: readonly number[], { rate = 16_000, seed = 1 } = {}): Float32Array {
  const pause = (n: number): Float32Array => noise(0.8, { rate, seed: seed + 100 + n });
  return concat(pause(0), ...spoken.flatMap((seconds, n) => [voice(seconds, { rate, seed: seed + n }), pause(n + 1)]));
}

/** The fields of `format` in a start that describe samples of this format. */
export function sampleFields(name: SampleFormat) {
  const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[name];
  return { bit_depth, is_float, encoding };
}

/** Interleaves the channels, all of one length, into bytes of this format. */
export function encode(format: SampleFormat, ...channels: readonly ArrayLike<number>[]): Buffer {
  const width = SAMPLE_FORMATS[format].bytes;
  const codec = SAMPLE_CODECS[format];
  const frames = channels[0]?.length ?? 0;
  const bytes = Buffer.from(new ArrayBuffer(frames * channels.length * width));
  const view = new DataView(bytes.buffer);
  for (let frame = 0, at = 0; frame < frames; frame++) {
    for (const channel of channels) {
      codec.write(view, at, channel[frame]!);
      at += width;
    }
  }
  return bytes;
}

/** A WAV file of PCM samples, with its header of 44 bytes. */
export function wav(
  format: { channels: number; sample_rate: number; bit_depth: number; is_float: boolean },
  data: Buffer,
): Buffer {
  const { channels, sample_rate, bit_depth, is_float } = format;
  const header = Buffer.alloc(44);
  const frame = (channels * bit_depth) / 8;
  header.write("RIFF", 0, "latin1");
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8, "latin1");
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(is_float ? 3 : 1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sample_rate, 24);
  header.writeUInt32LE(sample_rate * frame, 28);
  header.writeUInt16LE(frame, 32);
  header.writeUInt16LE(bit_depth, 34);
  header.write("data", 36, "latin1");
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}
