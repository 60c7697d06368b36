import { resampledLength } from "../lib/resampled-length.ts";
import { SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { type DecidedWindows, DecodeChain } from "../native/chain.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { Arena } from "./arena.ts";
import type { Store } from "./store.ts";

/** Result of `push` when nothing fits. */
export const NO_ROOM = -1;

export interface DecoderFormat {
  readonly sampleFormat: SampleFormat;
  readonly channels: number;
  /** Hz. */
  readonly sampleRate: number;
}

/**
 * Decoder of one stream: bytes in, samples at the model's rate out, and decisions of voice activity detection. One call
 * of the C library converts, inspects, de-interleaves and resamples straight into the slabs of each channel's store.
 * The result does not depend on how the bytes are cut.
 */
export class Decoder implements Disposable {
  readonly #arena: Arena;
  readonly #stores: readonly Store[];
  readonly #chain: DecodeChain;
  readonly #frameBytes: number;
  /** Index in the arena of the next sample of each channel. */
  readonly #offsets: Uint32Array;
  readonly #inRate: number;
  readonly #outRate: number;
  #detects = false;
  #bytes = 0;

  /**
   * @param outRate the model's rate, Hz
   * @param stores one for each channel, all of this arena, all empty and at the same position
   */
  constructor(format: DecoderFormat, outRate: number, arena: Arena, stores: readonly Store[]) {
    this.#arena = arena;
    this.#stores = stores;
    this.#inRate = format.sampleRate;
    this.#outRate = outRate;
    this.#frameBytes = format.channels * SAMPLE_FORMATS[format.sampleFormat].bytes;
    this.#chain = new DecodeChain(format.sampleFormat, format.channels, format.sampleRate, outRate);
    this.#offsets = new Uint32Array(format.channels);
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

  /** All samples of the bytes read are in the stores, apart from those that the resamplers need more bytes for. */
  get settled(): boolean {
    return this.#chain.spilled === 0;
  }

  /** Bits PCM_*: faults of the float samples so far. Valid until another decoder is used, as `observed`. */
  get flags(): number {
    return this.#chain.flags;
  }

  /** Bits INSPECT_*: what is suspicious so far. */
  get observed(): number {
    return this.#chain.observed;
  }

  /** Returns the channel in which a bit INSPECT_* was first observed; -1: no single one. */
  channelOf(bit: number): number {
    return this.#chain.channelOf(bit);
  }

  /** Runs a detector for each channel, from the first sample on. They must outlive the last call of `push`. */
  detect(detectors: readonly EnergyVad[]): void {
    for (const [channel, detector] of detectors.entries()) this.#chain.detect(channel, detector);
    this.#detects = true;
  }

  /** Returns the state after `frames`, as bytes, that of the detectors included. Throws after `flush`. */
  save(): Uint8Array<ArrayBuffer> {
    return this.#chain.save();
  }

  /**
   * Goes on behind so many frames, from the state that another decoder saved there. Detectors must have been given
   * before. Returns false when the bytes are no such state.
   */
  restore(frames: number, saved: Uint8Array): boolean {
    this.#bytes = frames * this.#frameBytes;
    return this.#chain.restore(saved);
  }

  /**
   * Returns what the detector of a channel has decided about the samples of the last `push` or `flush`; undefined: there
   * is no detector. Valid until another decoder is used.
   */
  windows(channel: number): DecidedWindows | undefined {
    return this.#detects ? this.#chain.windows(channel) : undefined;
  }

  /**
   * Decodes at most one slab's worth: reads bytes from `offset` to `end` and appends the same number of samples to
   * every store.
   * @param room samples that may be appended to each store
   * @returns bytes read, 0 or more; NO_ROOM: `room` is 0, or the arena is full
   */
  push(bytes: Uint8Array, offset: number, room: number, end: number = bytes.length): number {
    if (room <= 0 || !this.#grow()) return NO_ROOM;
    this.#locate();
    const fits = Math.min(room, this.#room());
    const read = this.#chain.process(bytes, offset, end - offset, this.#arena.samples, this.#offsets, fits);
    this.#append(this.#chain.samples);
    this.#bytes += read;
    return read;
  }

  /**
   * Ends the input and appends samples that the resamplers still hold, at most one slab's worth.
   * @returns "more": call again, if there is room in the arena; "done": there are no more
   */
  flush(): "done" | "more" | "no_room" {
    if (this.totalSamples === this.#end()) return "done";
    if (!this.#grow()) return "no_room";
    this.#locate();
    const written = this.#chain.flush(this.#arena.samples, this.#offsets, this.#room());
    if (written === 0) throw new Error(`decoder: ${this.#end()} samples at the end, not ${this.totalSamples}`);
    this.#append(written);
    return "more";
  }

  /** Counts bytes as received without decoding them: for a stream that is aborted. */
  discard(byteLength: number): void {
    this.#bytes += byteLength;
  }

  /** Counts as many frames as received as make `samples`, if there are fewer. See `discard`. */
  discardTo(samples: number): void {
    if (this.totalSamples >= samples) return;
    let frames = Math.floor((samples * this.#inRate) / this.#outRate);
    while (resampledLength(frames, this.#inRate, this.#outRate) < samples) frames += 1;
    this.#bytes = frames * this.#frameBytes;
  }

  [Symbol.dispose](): void {
    this.#chain[Symbol.dispose]();
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

  #locate(): void {
    let channel = 0;
    for (const store of this.#stores) this.#offsets[channel++] = store.writeIndex;
  }

  #append(count: number): void {
    for (const store of this.#stores) store.advance(count);
  }

  #end(): number {
    return this.#stores[0]?.end ?? 0;
  }

  #room(): number {
    return this.#stores[0]?.room ?? 0;
  }
}
