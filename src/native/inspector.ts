import { MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../lib/sample-format.ts";
import { Handle, native } from "./library.ts";
import { checkInteger, checkRuns } from "./range.ts";
import { addressOf, type Samples } from "./samples.ts";

/** A channel clipped: 10 runs of 4 or more equal samples at 0.999 of full scale or beyond, within a second. */
export const INSPECT_CLIPPING = 1;
/** A channel was exactly 0 for 10 s. */
export const INSPECT_SILENCE = 2;
/** All channels were equal for 10 s. */
export const INSPECT_IDENTICAL = 4;

/** Inspector of audio before resampling: observes clipping, silent channels and identical channels. */
export class Inspector {
  readonly #channels: number;
  readonly #handle: Handle;

  /** @param sampleRate Hz, MIN_SAMPLE_RATE to MAX_SAMPLE_RATE; @param channels 1 to MAX_CHANNELS; else RangeError */
  constructor(sampleRate: number, channels: number) {
    checkInteger("sample rate", sampleRate, MIN_SAMPLE_RATE, MAX_SAMPLE_RATE);
    checkInteger("channels", channels, 1, MAX_CHANNELS);
    this.#channels = channels;
    this.#handle = new Handle("Inspector", native().sa_inspector_new(sampleRate, channels), native().sa_inspector_free);
  }

  /**
   * Reads `frames` samples of each channel: sample i of channel c is `samples[offsets[c] + i]`.
   * @returns the bits INSPECT_* observed so far
   */
  process(samples: Samples, offsets: Uint32Array, frames: number): number {
    checkInteger("frames", frames, 0, samples.length);
    checkRuns("samples", offsets, this.#channels, frames, samples.length);
    return native().sa_inspector_process(this.#handle.pointer, addressOf(samples), offsets, frames);
  }

  /**
   * Returns the channel in which a bit INSPECT_* was first observed; -1 if it was not, or belongs to no single channel.
   */
  channelOf(bit: number): number {
    checkInteger("bit", bit, 1, INSPECT_IDENTICAL);
    return native().sa_inspector_channel(this.#handle.pointer, bit);
  }

  reset(): void {
    native().sa_inspector_reset(this.#handle.pointer);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
