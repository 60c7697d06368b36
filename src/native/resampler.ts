import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkSpan } from "./range.ts";

/** Most samples of one call. */
const MAX_LENGTH = 2 ** 30;

/** One channel from one integer rate to another. After `flush`, round(read * outRate / inRate) samples, halves up, were written. */
export class Resampler {
  readonly #handle: Handle;

  /** Rates in Hz, MIN_SAMPLE_RATE .. MAX_SAMPLE_RATE, else RangeError. */
  constructor(inRate: number, outRate: number) {
    checkInteger("input rate", inRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    checkInteger("output rate", outRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    this.#handle = new Handle("Resampler", native.sa_resampler_new(inRate, outRate), native.sa_resampler_free);
  }

  /** The most samples that the next `process` may be given without writing more than `maxOutput`. */
  maxInput(maxOutput: number): number {
    checkInteger("most output", maxOutput, 0, MAX_LENGTH);
    return native.sa_resampler_max_input(this.#handle.pointer, maxOutput);
  }

  /** The number of samples that the next `process` will write for `length` samples. */
  maxOutput(length: number): number {
    checkInteger("input length", length, 0, MAX_LENGTH);
    return native.sa_resampler_max_output(this.#handle.pointer, length);
  }

  /**
   * Reads input[inOffset .. inOffset + length), writes from out[outOffset] on. Returns the number of samples written.
   * RangeError when samples lie outside their arrays; Error after `flush`.
   */
  process(input: Float32Array, inOffset: number, length: number, out: Float32Array, outOffset: number): number {
    checkSpan("input", inOffset, length, input.length);
    checkSpan("output", outOffset, this.maxOutput(length), out.length);
    if (length === 0) return 0;
    const written = native.sa_resampler_process(this.#handle.pointer, input, inOffset, length, out, outOffset);
    if (written < 0) throw new Error("Resampler was flushed: reset it before more input");
    return written;
  }

  /** Ends the input and writes up to `capacity` of the samples still owed. Returns how many; call again until 0. */
  flush(out: Float32Array, outOffset: number, capacity: number): number {
    checkSpan("output", outOffset, capacity, out.length);
    if (capacity === 0) return 0;
    return native.sa_resampler_flush(this.#handle.pointer, out, outOffset, capacity);
  }

  /** Memory of this stream in bytes, without the filter. */
  get bytes(): number {
    return native.sa_resampler_bytes(this.#handle.pointer);
  }

  /** Memory in bytes of the filter, shared by all streams of the same rates; 0 for equal rates. */
  get filterBytes(): number {
    return native.sa_resampler_filter_bytes(this.#handle.pointer);
  }

  reset(): void {
    native.sa_resampler_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
