import {
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  type SampleFormat,
} from "../lib/sample-format.ts";
import { SLAB_SAMPLES } from "./arena.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkRuns, checkSpan, MAX_CALL_LENGTH } from "./range.ts";
import { addressOf, type Samples } from "./samples.ts";
import type { EnergyVad } from "./vad.ts";

/** Most windows that a call decides about in a channel. */
const CHANNEL_WINDOWS = 104;

/** What a call of the C library reports, by its place in `report`. */
const SAMPLES = 0;
const WINDOWS = 2;
const OBSERVED = 3;
const FLAGS = 4;

/** Results of the last call. Its callers are synchronous, so all chains of this thread share them. */
const report = new Uint32Array(5);
const speech = new Uint8Array(MAX_CHANNELS * CHANNEL_WINDOWS);
const levels = new Float32Array(MAX_CHANNELS * CHANNEL_WINDOWS);

/** Decisions of the detector of one channel, in the order of the windows: those from `first` to `end`, exclusive. */
export interface DecidedWindows {
  /** 1: speech, 0: none. */
  readonly speech: Uint8Array;
  /** dBFS. */
  readonly levels: Float32Array;
  readonly first: number;
  readonly end: number;
}

/** Room for the bytes of `save`, which grows to what the largest chain needed. */
let image = new Uint8Array(4_096);

const decided = { speech, levels, first: 0, end: 0 };

/**
 * Converts, inspects and resamples the messages of one stream, and runs the detectors of its channels, in one call of
 * the C library for each message. Results are valid until the next call of any chain.
 */
export class DecodeChain implements Disposable {
  readonly #channels: number;
  readonly #handle: Handle;
  readonly #upsamples: boolean;
  #spilled = 0;

  /** Throws RangeError when an argument is out of range. @param inRate Hz; @param outRate Hz */
  constructor(format: SampleFormat, channels: number, inRate: number, outRate: number) {
    checkInteger("channels", channels, 1, MAX_CHANNELS);
    checkInteger("input rate", inRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    checkInteger("output rate", outRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    const number = SAMPLE_FORMAT_NAMES.indexOf(format);
    const { sa_chain_new, sa_chain_free } = native();
    this.#handle = new Handle("DecodeChain", sa_chain_new(number, channels, inRate, outRate), sa_chain_free);
    this.#channels = channels;
    this.#upsamples = outRate > inRate;
  }

  /** Lets a detector decide about a channel, from the first sample on. It must outlive the last call of this chain. */
  detect(channel: number, vad: EnergyVad): void {
    checkInteger("channel", channel, 0, this.#channels - 1);
    native().sa_chain_detect(this.#handle.pointer, channel, vad.pointer);
  }

  /**
   * Reads as much of `bytes[offset .. offset + length)` as has room. Sample i of channel c goes to
   * `out[outOffsets[c] + i]`. Throws RangeError when bytes or samples lie outside their arrays, and Error after `flush`.
   * @param room samples that may be written for each channel, 0 to SLAB_SAMPLES
   * @returns the number of bytes
   */
  process(
    bytes: Uint8Array,
    offset: number,
    length: number,
    out: Samples,
    outOffsets: Uint32Array,
    room: number,
  ): number {
    checkSpan("bytes", offset, length, bytes.length);
    checkInteger("bytes length", length, 0, MAX_CALL_LENGTH);
    checkInteger("room", room, 0, SLAB_SAMPLES);
    checkRuns("out", outOffsets, this.#channels, room, out.length);
    const { pointer } = this.#handle;
    const target = addressOf(out);
    const read = native().sa_chain_process(
      pointer,
      bytes,
      offset,
      length,
      target,
      outOffsets,
      room,
      report,
      speech,
      levels,
    );
    if (read < 0) throw new Error("DecodeChain takes no more input after a flush: reset it first");
    if (this.#upsamples) this.#spilled = native().sa_chain_spilled(pointer);
    return read;
  }

  /**
   * Ends the input, and writes what the resamplers still owe, as far as there is room. Returns the number of samples
   * written to each channel; call again until it is 0.
   */
  flush(out: Samples, outOffsets: Uint32Array, room: number): number {
    checkInteger("room", room, 0, SLAB_SAMPLES);
    checkRuns("out", outOffsets, this.#channels, room, out.length);
    const { pointer } = this.#handle;
    const written = native().sa_chain_flush(pointer, addressOf(out), outOffsets, room, report, speech, levels);
    if (this.#upsamples) this.#spilled = native().sa_chain_spilled(pointer);
    return written;
  }

  /** Samples written to each channel by the last call. */
  get samples(): number {
    return report[SAMPLES] ?? 0;
  }

  /** Samples of each channel that found no room. The next call writes them first. */
  get spilled(): number {
    return this.#spilled;
  }

  /** Bits INSPECT_* so far. */
  get observed(): number {
    return report[OBSERVED] ?? 0;
  }

  /** Bits PCM_* so far. */
  get flags(): number {
    return report[FLAGS] ?? 0;
  }

  /** Returns the decisions of the last call about a channel that has a detector. */
  windows(channel: number): DecidedWindows {
    decided.first = channel * CHANNEL_WINDOWS;
    decided.end = decided.first + (report[WINDOWS] ?? 0);
    return decided;
  }

  /** See `Inspector.channelOf`. */
  channelOf(bit: number): number {
    return native().sa_chain_channel(this.#handle.pointer, bit);
  }

  /**
   * Returns the state as bytes, that of the detectors included, for `restore` of a chain with the same arguments. The
   * bytes of an incomplete frame are not part of it. Throws after `flush`.
   */
  save(): Uint8Array<ArrayBuffer> {
    const { pointer } = this.#handle;
    let size = native().sa_chain_save(pointer, image, image.length);
    if (size === 0) throw new Error("DecodeChain has no state to save after a flush");
    if (size > image.length) {
      image = new Uint8Array(size);
      size = native().sa_chain_save(pointer, image, size);
    }
    return image.slice(0, size);
  }

  /** Goes on from the state that `save` returned. Returns false, and is like new, when the bytes are no such state. */
  restore(saved: Uint8Array): boolean {
    const { pointer } = this.#handle;
    if (saved.length === 0) return false;
    const restored = native().sa_chain_restore(pointer, saved, saved.length) === 0;
    this.#spilled = native().sa_chain_spilled(pointer);
    return restored;
  }

  /** Resets the detectors, too. */
  reset(): void {
    native().sa_chain_reset(this.#handle.pointer);
    this.#spilled = 0;
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
