import { MAX_CHANNELS, SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkRuns, checkSpan } from "./range.ts";

/** A bit of `flags`: a float was NaN or infinite and became 0. */
export const PCM_NOT_A_NUMBER = 1;
/** A bit of `flags`: a finite float was beyond -1 .. 1. */
export const PCM_OUT_OF_RANGE = 2;

/** Most bytes of one call. */
const MAX_BYTES = 2 ** 30;

/** Interleaved little-endian PCM to one run of float samples a channel; an incomplete frame waits for the next call. */
export class PcmConverter {
  readonly frameBytes: number;
  readonly channels: number;
  readonly #handle: Handle;

  /** channels: 1 .. MAX_CHANNELS, else RangeError. */
  constructor(format: SampleFormat, channels: number) {
    checkInteger("channels", channels, 1, MAX_CHANNELS);
    this.channels = channels;
    this.frameBytes = channels * SAMPLE_FORMATS[format].bytes;
    const number = SAMPLE_FORMAT_NAMES.indexOf(format);
    this.#handle = new Handle("PcmConverter", native.sa_pcm_new(number, channels), native.sa_pcm_free);
  }

  /** Frames that the next `process` will write for `length` bytes. */
  framesFor(length: number): number {
    return Math.floor((this.pendingBytes + length) / this.frameBytes);
  }

  /**
   * Converts bytes[offset .. offset + length). Sample i of channel c goes to out[outOffsets[c] + i].
   * Returns the number of frames. RangeError when bytes or samples lie outside their arrays.
   */
  process(bytes: Uint8Array, offset: number, length: number, out: Float32Array, outOffsets: Uint32Array): number {
    checkSpan("bytes", offset, length, bytes.length);
    checkInteger("bytes length", length, 0, MAX_BYTES);
    checkRuns("out", outOffsets, this.channels, this.framesFor(length), out.length);
    return native.sa_pcm_process(this.#handle.pointer, bytes, offset, length, out, outOffsets);
  }

  /** Bytes of an incomplete frame held: 0 .. frameBytes - 1. */
  get pendingBytes(): number {
    return native.sa_pcm_pending(this.#handle.pointer);
  }

  /** PCM_NOT_A_NUMBER | PCM_OUT_OF_RANGE, as met since the beginning. */
  get flags(): number {
    return native.sa_pcm_flags(this.#handle.pointer);
  }

  /** Drops the incomplete frame; returns how many bytes it had. */
  flush(): number {
    return native.sa_pcm_flush(this.#handle.pointer);
  }

  reset(): void {
    native.sa_pcm_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
