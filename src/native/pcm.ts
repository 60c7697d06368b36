import { MAX_CHANNELS, SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkRuns, checkSpan, MAX_CALL_LENGTH } from "./range.ts";
import { addressOf, type Samples } from "./samples.ts";

/** Bit of `flags`: a float was NaN or infinite and became 0. */
export const PCM_NOT_A_NUMBER = 1;
/** Bit of `flags`: a finite float was beyond -1 to 1. */
export const PCM_OUT_OF_RANGE = 2;

/**
 * Converts interleaved little-endian samples to float samples, one run a channel. An incomplete frame waits for the
 * next call.
 */
export class PcmConverter {
  readonly frameBytes: number;
  readonly channels: number;
  readonly #handle: Handle;

  /** @param channels 1 to MAX_CHANNELS, else RangeError */
  constructor(format: SampleFormat, channels: number) {
    checkInteger("channels", channels, 1, MAX_CHANNELS);
    this.channels = channels;
    this.frameBytes = channels * SAMPLE_FORMATS[format].bytes;
    const number = SAMPLE_FORMAT_NAMES.indexOf(format);
    this.#handle = new Handle("PcmConverter", native().sa_pcm_new(number, channels), native().sa_pcm_free);
  }

  /** Number of frames that the next `process` writes for `length` bytes. */
  framesFor(length: number): number {
    return Math.floor((this.pendingBytes + length) / this.frameBytes);
  }

  /**
   * Converts `bytes[offset .. offset + length)`. Sample i of channel c goes to `out[outOffsets[c] + i]`. Throws
   * RangeError when bytes or samples lie outside their arrays.
   * @returns the number of frames
   */
  process(bytes: Uint8Array, offset: number, length: number, out: Samples, outOffsets: Uint32Array): number {
    checkSpan("bytes", offset, length, bytes.length);
    checkInteger("bytes length", length, 0, MAX_CALL_LENGTH);
    checkRuns("out", outOffsets, this.channels, this.framesFor(length), out.length);
    return native().sa_pcm_process(this.#handle.pointer, bytes, offset, length, addressOf(out), outOffsets);
  }

  /** Bytes of the incomplete frame, 0 to frameBytes - 1. */
  get pendingBytes(): number {
    return native().sa_pcm_pending(this.#handle.pointer);
  }

  /** Bits PCM_* of all samples so far. */
  get flags(): number {
    return native().sa_pcm_flags(this.#handle.pointer);
  }

  /** Drops the incomplete frame. Returns the number of its bytes. */
  flush(): number {
    return native().sa_pcm_flush(this.#handle.pointer);
  }

  reset(): void {
    native().sa_pcm_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
