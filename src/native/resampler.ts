import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkSpan, MAX_CALL_LENGTH } from "./range.ts";
import { addressOf, type Samples } from "./samples.ts";

/** Resamples one channel. Once flushed, it has written round(read * outRate / inRate) samples, halves up. */
export class Resampler {
  readonly #handle: Handle;

  /** Rates in Hz, integers from MIN_SAMPLE_RATE to MAX_SAMPLE_RATE, else RangeError. */
  constructor(inRate: number, outRate: number) {
    checkInteger("input rate", inRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    checkInteger("output rate", outRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    this.#handle = new Handle("Resampler", native().sa_resampler_new(inRate, outRate), native().sa_resampler_free);
  }

  /** Most samples that the next `process` can be given without writing more than `maxOutput`. */
  maxInput(maxOutput: number): number {
    checkInteger("most output", maxOutput, 0, MAX_CALL_LENGTH);
    return native().sa_resampler_max_input(this.#handle.pointer, maxOutput);
  }

  /** Number of samples that the next `process` writes for `length` samples. */
  maxOutput(length: number): number {
    checkInteger("input length", length, 0, MAX_CALL_LENGTH);
    return native().sa_resampler_max_output(this.#handle.pointer, length);
  }

  /**
   * Reads `input[inOffset .. inOffset + length)` and writes from `out[outOffset]` on. Throws RangeError when samples
   * lie outside their arrays, and Error after `flush`.
   * @returns the number of samples written
   */
  process(input: Samples, inOffset: number, length: number, out: Samples, outOffset: number): number {
    checkSpan("input", inOffset, length, input.length);
    checkSpan("output", outOffset, this.maxOutput(length), out.length);
    if (length === 0) return 0;
    const { pointer } = this.#handle;
    const from = addressOf(input);
    const written = native().sa_resampler_process(pointer, from, inOffset, length, addressOf(out), outOffset);
    if (written < 0) throw new Error("Resampler takes no more input after a flush: reset it first");
    return written;
  }

  /**
   * Ends the input and writes up to `capacity` of the remaining samples. Returns their number; call again until it is
   * 0.
   */
  flush(out: Samples, outOffset: number, capacity: number): number {
    checkSpan("output", outOffset, capacity, out.length);
    if (capacity === 0) return 0;
    return native().sa_resampler_flush(this.#handle.pointer, addressOf(out), outOffset, capacity);
  }

  /** Memory in bytes, without the filter. */
  get bytes(): number {
    return native().sa_resampler_bytes(this.#handle.pointer);
  }

  /** Memory in bytes of the filter, which all resamplers of the same rates share; 0 for equal rates. */
  get filterBytes(): number {
    return native().sa_resampler_filter_bytes(this.#handle.pointer);
  }

  reset(): void {
    native().sa_resampler_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
