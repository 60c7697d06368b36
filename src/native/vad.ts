import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { type Address, Handle, native } from "./library.ts";
import { checkInteger, checkSpan, MAX_CALL_LENGTH } from "./range.ts";
import { addressOf, type Samples } from "./samples.ts";

/** Energy detector of one channel: decides for windows of 10 ms by their level above a noise floor that it tracks. */
export class EnergyVad {
  /** Samples of a window. Window i covers samples i * windowSamples to (i + 1) * windowSamples, exclusive. */
  readonly windowSamples: number;
  readonly #handle: Handle;

  /**
   * Throws RangeError when an argument is out of range.
   * @param sampleRate Hz, MIN_SAMPLE_RATE to MAX_SAMPLE_RATE
   * @param thresholdDb 3 to 40
   * @param floorDb lowest noise floor, dBFS, -100 to -20
   */
  constructor(sampleRate: number, thresholdDb: number, floorDb: number) {
    checkInteger("sample rate", sampleRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    if (!(thresholdDb >= 3 && thresholdDb <= 40)) throw new RangeError(`threshold is ${thresholdDb} dB, not 3 to 40`);
    if (!(floorDb >= -100 && floorDb <= -20)) throw new RangeError(`floor is ${floorDb} dBFS, not -100 to -20`);
    const { sa_vad_new, sa_vad_free } = native();
    this.#handle = new Handle("EnergyVad", sa_vad_new(sampleRate, thresholdDb, floorDb), sa_vad_free);
    this.windowSamples = native().sa_vad_window(this.#handle.pointer);
  }

  /** Address of the detector, for other functions of the C library. Throws once it has been disposed. */
  get pointer(): Address {
    return this.#handle.pointer;
  }

  /** Number of windows that the next `process` completes with `length` samples. */
  maxWindows(length: number): number {
    checkInteger("length", length, 0, MAX_CALL_LENGTH);
    return native().sa_vad_max_output(this.#handle.pointer, length);
  }

  /**
   * Reads `samples[offset .. offset + length)`. Writes `speech[i]` (1 or 0) and `levelDb[i]` (dBFS) for each window
   * that is completed. Throws RangeError when samples or windows lie outside their arrays.
   * @returns the number of windows
   */
  process(samples: Samples, offset: number, length: number, speech: Uint8Array, levelDb: Float32Array): number {
    checkSpan("samples", offset, length, samples.length);
    const windows = this.maxWindows(length);
    checkInteger("windows", windows, 0, Math.min(speech.length, levelDb.length));
    if (length === 0) return 0;
    return native().sa_vad_process(this.#handle.pointer, addressOf(samples), offset, length, speech, levelDb);
  }

  /** Drops the samples of the incomplete window. Returns their number. */
  flush(): number {
    return native().sa_vad_flush(this.#handle.pointer);
  }

  reset(): void {
    native().sa_vad_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
