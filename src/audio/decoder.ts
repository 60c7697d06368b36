import { resampledLength } from "../lib/resampled-length.ts";
import { SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { PcmConverter } from "../native/pcm.ts";
import { Resampler } from "../native/resampler.ts";
import type { Arena } from "./arena.ts";
import type { Store } from "./store.ts";

/** Samples of scratch memory for one piece of audio at the client's rate, all channels together. */
const SCRATCH_SAMPLES = 65_536;
/** Frames of one piece at most: small enough to stay in the first-level cache for a mono stream. */
const PIECE_FRAMES = 4_096;
/** Enough for what one input sample yields from 4 kHz to 384 kHz, and for the tail of a resampler. */
const SPILL_SAMPLES = 16_384;

/** Scratch of this thread: the decoder is synchronous, so that one is enough for all streams. */
const scratch = new Float32Array(SCRATCH_SAMPLES);
const spill = new Float32Array(SPILL_SAMPLES);

export interface DecoderFormat {
  readonly sampleFormat: SampleFormat;
  readonly channels: number;
  /** Hz. */
  readonly sampleRate: number;
}

/** Sees the samples of every channel before resampling: sample i of channel c is `samples[offsets[c] + i]`. */
export type Probe = (samples: Float32Array, offsets: Uint32Array, frames: number) => void;

/**
 * Bytes in, samples at the model's rate out: converts, de-interleaves and resamples into each channel's store, straight into the
 * shared slabs. The result does not depend on how the bytes are cut.
 */
export class Decoder {
  readonly #arena: Arena;
  readonly #stores: readonly Store[];
  readonly #pcm: PcmConverter;
  readonly #resamplers: readonly Resampler[];
  readonly #frameBytes: number;
  readonly #pieceFrames: number;
  /** Where channel c of a piece begins: in the scratch when resampling, else in the arena. */
  readonly #offsets: Uint32Array;
  readonly #inRate: number;
  readonly #outRate: number;
  readonly #probe: Probe | undefined;
  #bytes = 0;

  /** One store a channel, all of one arena, all empty. `outRate` in Hz. */
  constructor(format: DecoderFormat, outRate: number, arena: Arena, stores: readonly Store[], probe?: Probe) {
    this.#arena = arena;
    this.#stores = stores;
    this.#probe = probe;
    this.#inRate = format.sampleRate;
    this.#outRate = outRate;
    this.#frameBytes = format.channels * SAMPLE_FORMATS[format.sampleFormat].bytes;
    this.#pieceFrames = Math.min(PIECE_FRAMES, Math.floor(SCRATCH_SAMPLES / format.channels));
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
    for (let c = 0; c < format.channels; c++) this.#offsets[c] = c * this.#pieceFrames;
  }

  /** Whole frames read so far, at the client's rate. */
  get frames(): number {
    return Math.floor(this.#bytes / this.#frameBytes);
  }

  /** Bytes of an incomplete last frame. */
  get trailingBytes(): number {
    return this.#bytes % this.#frameBytes;
  }

  /** Samples per channel that the frames read so far will have become once the stream has ended. */
  get owed(): number {
    return resampledLength(this.frames, this.#inRate, this.#outRate);
  }

  /** Bits `PCM_*` of what was wrong with float samples. */
  get flags(): number {
    return this.#pcm.flags;
  }

  /**
   * Decodes at most one slab's worth: reads bytes from `offset` to `end` and appends to every store the same number of samples.
   * @param room samples that may be appended to each store (soft by what one frame yields)
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
   * Ends the input: appends what the resamplers still owe.
   * @returns false when the arena is full: call again
   */
  flush(): boolean {
    for (;;) {
      const due = this.owed - this.#end();
      if (due === 0) return true;
      if (!this.#grow()) return false;
      const capacity = Math.min(due, this.#room());
      for (const [c, store] of this.#stores.entries()) {
        const written = this.#resampler(c).flush(this.#arena.samples, store.writeIndex, capacity);
        if (written !== capacity) throw new Error(`resampler: ${written} samples flushed where ${capacity} were owed`);
        store.advance(written);
      }
    }
  }

  /** Counts bytes as received without decoding them: for a stream that is being given up. */
  discard(byteLength: number): void {
    this.#bytes += byteLength;
  }

  [Symbol.dispose](): void {
    for (const resampler of this.#resamplers) resampler[Symbol.dispose]();
    this.#pcm[Symbol.dispose]();
  }

  /** All stores grow together or not at all, since their slab borders are the same. */
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
    this.#probe?.(this.#arena.samples, this.#offsets, frames);
    for (const store of this.#stores) store.advance(frames);
    this.#bytes += take;
    return take;
  }

  #resample(bytes: Uint8Array, offset: number, left: number, fits: number): number {
    const safe = Math.min(this.#pieceFrames, this.#resampler(0).maxInput(fits));
    // One frame may yield more samples than the slab has left; then it goes through the spill, over the border.
    const take = Math.min(left, Math.max(safe, 1) * this.#frameBytes - this.#pcm.pendingBytes);
    const yielded = this.#resampler(0).maxOutput(Math.floor((this.#pcm.pendingBytes + take) / this.#frameBytes));
    if (yielded > this.#room() && this.#arena.capacity - this.#arena.used < this.#stores.length) return 0;
    const frames = this.#pcm.process(bytes, offset, take, scratch, this.#offsets);
    this.#probe?.(scratch, this.#offsets, frames);
    for (const [c, store] of this.#stores.entries()) {
      const from = c * this.#pieceFrames;
      if (yielded <= store.room) {
        store.advance(this.#resampler(c).process(scratch, from, frames, this.#arena.samples, store.writeIndex));
      } else {
        const written = this.#resampler(c).process(scratch, from, frames, spill, 0);
        this.#append(store, written);
      }
    }
    this.#bytes += take;
    return take;
  }

  /** Copies the first `count` samples of the spill to a store; the slabs that it takes are known to be free. */
  #append(store: Store, count: number): void {
    let done = 0;
    while (done < count) {
      if (store.room === 0 && !store.grow()) throw new Error("arena: no slab where one was free");
      const part = Math.min(store.room, count - done);
      this.#arena.samples.set(spill.subarray(done, done + part), store.writeIndex);
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
