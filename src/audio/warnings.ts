import { INSPECT_CLIPPING, INSPECT_IDENTICAL, INSPECT_SILENCE, Inspector } from "../native/inspector.ts";
import { PCM_NOT_A_NUMBER, PCM_OUT_OF_RANGE } from "../native/pcm.ts";
import type { Samples } from "../native/samples.ts";
import type { WarningCode } from "../protocol/errors.ts";
import type { Warning } from "../protocol/events.ts";
import { warningEvent } from "../protocol/warning-event.ts";

const INSPECTED: readonly [number, WarningCode][] = [
  [INSPECT_CLIPPING, "clipping"],
  [INSPECT_SILENCE, "silence"],
  [INSPECT_IDENTICAL, "identical_channels"],
];
const CONVERTED: readonly [number, WarningCode][] = [
  [PCM_NOT_A_NUMBER, "not_a_number"],
  [PCM_OUT_OF_RANGE, "out_of_range"],
];

/** Warnings about a stream's audio. Each kind that is detected here is reported once. */
export class AudioWarnings {
  readonly #inspector: Inspector;
  readonly #send: (warning: Warning) => void;
  /** Bits INSPECT_* and PCM_* that have been reported. */
  #inspected = 0;
  #converted = 0;

  /** @param sampleRate the client's, Hz */
  constructor(sampleRate: number, channels: number, send: (warning: Warning) => void) {
    this.#inspector = new Inspector(sampleRate, channels);
    this.#send = send;
  }

  /** Inspects the audio before resampling: sample i of channel c is `samples[offsets[c] + i]`. */
  readonly inspect = (samples: Samples, offsets: Uint32Array, frames: number): void => {
    const observed = this.#inspector.process(samples, offsets, frames);
    if (observed === this.#inspected) return;
    for (const [bit, code] of INSPECTED) {
      if ((observed & ~this.#inspected & bit) !== 0) this.report(code, this.#inspector.channelOf(bit));
    }
    this.#inspected = observed;
  };

  /** Reports faults of float samples. @param flags bits PCM_* of the stream so far */
  reportConversion(flags: number): void {
    if (flags === this.#converted) return;
    for (const [bit, code] of CONVERTED) {
      if ((flags & ~this.#converted & bit) !== 0) this.report(code);
    }
    this.#converted = flags;
  }

  /** Sends a warning. @param channel -1: of no single channel; @param message default: that of the code */
  report(code: WarningCode, channel = -1, message?: string): void {
    this.#send(warningEvent(code, channel, message));
  }

  [Symbol.dispose](): void {
    this.#inspector[Symbol.dispose]();
  }
}
