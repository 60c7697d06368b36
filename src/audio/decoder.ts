import { resampledLength } from "../lib/resampled-length.ts";
import { SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { PcmConverter } from "../native/pcm.ts";
import { Resampler } from "../native/resampler.ts";
import { copySamples, type Samples } from "../native/samples.ts";
import type { Arena } from "./arena.ts";
import type { Store } from "./store.ts";

/** Samples of scratch memory for audio at the client's rate, all channels together. */
const SCRATCH_SAMPLES = 65_536;
/** Frames converted at a time when resampling: few enough to stay in the first-level cache for a mono stream. */
const MAX_FRAMES = 4_096;
/** More than one input sample yields from 4 kHz to 384 kHz, and more than the tail of any resampler. */
const OVERFLOW_SAMPLES = 16_384;

/** Scratch of this thread. Decoders are synchronous, so all streams share it. */
const scratch = new Float32Array(SCRATCH_SAMPLES);
const overflow = new Float32Array(OVERFLOW_SAMPLES);

export interface DecoderFormat {
  readonly sampleFormat: SampleFormat;
  readonly channels: number;
  /** Hz. */
  readonly sampleRate: number;
}

/** Receives the samples of every channel before resampling: sample i of channel c is `samples[offsets[c] + i]`. */
export type Inspect = (samples: Samples, offsets: Uint32Array, frames: number) => void;

/**
 * Decoder of one stream: bytes in, samples at the model's rate out. Converts, de-interleaves and resamples straight
 * into the slabs of each channel's store. The result does not depend on how the bytes are cut.
 */
export class Decoder {
  readonly #arena: Arena;
  readonly #stores: readonly Store[];
  readonly #pcm: PcmConverter;
  /** One a channel; none when the rates are equal. */
  readonly #resamplers: readonly Resampler[];
  readonly #frameBytes: number;
  readonly #maxFrames: number;
  /** Index of each channel's first converted sample: in the scratch memory when resampling, else in the arena. */
  readonly #offsets: Uint32Array;
  readonly #inRate: number;
  readonly #outRate: number;
  readonly #inspect: Inspect | undefined;
  #bytes = 0;

  /**
   * @param outRate the model's rate, Hz
   * @param stores one for each channel, all of this arena, all empty
   */
  constructor(format: DecoderFormat, outRate: number, arena: Arena, stores: readonly Store[], inspect?: Inspect) {
    this.#arena = arena;
    this.#stores = stores;
    this.#inspect = inspect;
    this.#inRate = format.sampleRate;
    this.#outRate = outRate;
    this.#frameBytes = format.channels * SAMPLE_FORMATS[format.sampleFormat].bytes;
    this.#maxFrames = Math.min(MAX_FRAMES, Math.floor(SCRATCH_SAMPLES / format.channels));
    this.#pcm = new PcmConverter(format.sampleFormat, format.channels);
    const resamplers: Resampler[] = [];
    try {
      if (format.sampleRate !== outRate) {
        for (let c = 0; c < format.channels; c++) resamplers.push(new Resampler(format.sampleRate, outRate));
      }
    } catch (error) {
      for (const resampler of resamplers) resampler[Symbol.dispose]();
      this.#pcm[Symbol.dispose]();
      throw error;
    }
    this.#resamplers = resamplers;
    this.#offsets = new Uint32Array(format.channels);
    for (let c = 0; c < format.channels; c++) this.#offsets[c] = c * this.#maxFrames;
  }

  /** Whole frames read so far, at the client's rate. */
  get frames(): number {
    return Math.floor(this.#bytes / this.#frameBytes);
  }

  /** Bytes of an incomplete last frame. */
  get trailingBytes(): number {
    return this.#bytes % this.#frameBytes;
  }

  /** Samples a channel that the frames read so far make, those that the resamplers still hold included. */
  get totalSamples(): number {
    return resampledLength(this.frames, this.#inRate, this.#outRate);
  }

  /** Bits PCM_*: faults of the float samples so far. */
  get flags(): number {
    return this.#pcm.flags;
  }

  /**
   * Decodes at most one slab's worth: reads bytes from `offset` to `end` and appends the same number of samples to
   * every store.
   * @param room samples that may be appended to each store; may be exceeded by what one frame yields
   * @returns bytes read; 0 when nothing fits: no room, or the arena is full
   */
  push(bytes: Uint8Array, offset: number, room: number, end: number = bytes.length): number {
    const left = end - offset;
    if (left === 0 || room <= 0 || !this.#grow()) return 0;
    const fits = Math.min(room, this.#room());
    return this.#resamplers.length === 0
      ? this.#convert(bytes, offset, left, fits)
      : this.#resample(bytes, offset, left, fits);
  }

  /**
   * Ends the input and appends the samples that the resamplers still hold.
   * @returns false when the arena is full: call again
   */
  flush(): boolean {
    for (;;) {
      const missing = this.totalSamples - this.#end();
      if (missing === 0) return true;
      if (!this.#grow()) return false;
      const count = Math.min(missing, this.#room());
      for (const [c, store] of this.#stores.entries()) {
        const written = this.#resampler(c).flush(this.#arena.samples, store.writeIndex, count);
        if (written !== count) throw new Error(`resampler: flush wrote ${written} samples, expected ${count}`);
        store.advance(written);
      }
    }
  }

  /** Counts bytes as received without decoding them: for a stream that is aborted. */
  discard(byteLength: number): void {
    this.#bytes += byteLength;
  }

  [Symbol.dispose](): void {
    for (const resampler of this.#resamplers) resampler[Symbol.dispose]();
    this.#pcm[Symbol.dispose]();
  }

  /** Gives every store room, or none: the slabs of all channels have the same borders. */
  #grow(): boolean {
    for (const store of this.#stores) {
      if (store.room > 0 || store.grow()) continue;
      for (const grown of this.#stores) grown.shrink();
      return false;
    }
    return true;
  }

  #convert(bytes: Uint8Array, offset: number, left: number, fits: number): number {
    const take = Math.min(left, fits * this.#frameBytes - this.#pcm.pendingBytes);
    let channel = 0;
    for (const store of this.#stores) this.#offsets[channel++] = store.writeIndex;
    const frames = this.#pcm.process(bytes, offset, take, this.#arena.samples, this.#offsets);
    this.#inspect?.(this.#arena.samples, this.#offsets, frames);
    for (const store of this.#stores) store.advance(frames);
    this.#bytes += take;
    return take;
  }

  #resample(bytes: Uint8Array, offset: number, left: number, fits: number): number {
    const safe = Math.min(this.#maxFrames, this.#resampler(0).maxInput(fits));
    // A single frame may yield more samples than the slab has left. They go over the border by way of `overflow`.
    const take = Math.min(left, Math.max(safe, 1) * this.#frameBytes - this.#pcm.pendingBytes);
    const yielded = this.#resampler(0).maxOutput(Math.floor((this.#pcm.pendingBytes + take) / this.#frameBytes));
    if (yielded > this.#room() && this.#arena.capacity - this.#arena.used < this.#stores.length) return 0;
    const frames = this.#pcm.process(bytes, offset, take, scratch, this.#offsets);
    this.#inspect?.(scratch, this.#offsets, frames);
    for (const [c, store] of this.#stores.entries()) {
      const from = c * this.#maxFrames;
      if (yielded <= store.room) {
        store.advance(this.#resampler(c).process(scratch, from, frames, this.#arena.samples, store.writeIndex));
      } else {
        this.#appendOverflow(store, this.#resampler(c).process(scratch, from, frames, overflow, 0));
      }
    }
    this.#bytes += take;
    return take;
  }

  /** Copies the first `count` overflow samples to a store. The slabs that this takes are known to be free. */
  #appendOverflow(store: Store, count: number): void {
    let done = 0;
    while (done < count) {
      if (store.room === 0 && !store.grow()) throw new Error("arena: no slab where one was free");
      const part = Math.min(store.room, count - done);
      copySamples(overflow, done, this.#arena.samples, store.writeIndex, part);
      store.advance(part);
      done += part;
    }
  }

  #end(): number {
    return this.#stores[0]?.end ?? 0;
  }

  #room(): number {
    return this.#stores[0]?.room ?? 0;
  }

  #resampler(channel: number): Resampler {
    const resampler = this.#resamplers[channel];
    if (resampler === undefined) throw new Error(`decoder: no resampler for channel ${channel}`);
    return resampler;
  }
}
