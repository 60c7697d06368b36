import type { SampleFormat } from "../lib/sample-format.ts";
import { PcmConverter } from "../native/pcm.ts";
import { type AudioFormat, frameBytes, sampleFormat } from "../protocol/format.ts";

const NO_BYTES = new Uint8Array(0);

/** Converters that are given whole frames only, and so keep nothing, by format and channels. */
const converters = new Map<string, PcmConverter>();

/** The format of mixed audio. */
export function mixedFormat({ sample_rate }: AudioFormat): AudioFormat {
  return { channels: 1, sample_rate, bit_depth: 32, is_float: true, encoding: "pcm" };
}

/** Mixes interleaved channels into one: the mean of their samples, as 32-bit floats. */
export class DownMix {
  readonly #format: SampleFormat;
  readonly #channels: number;
  readonly #frameBytes: number;
  /** The beginning of a frame. */
  #rest: Uint8Array = NO_BYTES;

  constructor(format: AudioFormat) {
    this.#format = sampleFormat(format);
    this.#channels = format.channels;
    this.#frameBytes = frameBytes(format);
  }

  /** Bytes of the incomplete frame so far. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  /** Returns the mixed samples of the frames that are complete, however the bytes are cut. */
  push(bytes: Uint8Array): Uint8Array {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames = Math.floor(all.length / this.#frameBytes);
    // A copy: a view would keep the memory of the message.
    this.#rest = new Uint8Array(all.subarray(frames * this.#frameBytes));
    if (frames === 0) return NO_BYTES;
    const samples = new Float32Array(frames * this.#channels);
    const starts = Uint32Array.from({ length: this.#channels }, (_, channel) => channel * frames);
    this.#converter().process(all, 0, frames * this.#frameBytes, samples, starts);
    const mixed = samples.subarray(0, frames);
    for (let channel = 1; channel < this.#channels; channel++) {
      const start = channel * frames;
      for (let i = 0; i < frames; i++) mixed[i] = (mixed[i] ?? 0) + (samples[start + i] ?? 0);
    }
    for (let i = 0; i < frames; i++) mixed[i] = (mixed[i] ?? 0) / this.#channels;
    return new Uint8Array(mixed.buffer, 0, mixed.byteLength);
  }

  #converter(): PcmConverter {
    const name = `${this.#format} ${this.#channels}`;
    const converter = converters.get(name) ?? new PcmConverter(this.#format, this.#channels);
    converters.set(name, converter);
    return converter;
  }
}
