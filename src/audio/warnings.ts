import { INSPECT_CLIPPING, INSPECT_IDENTICAL, INSPECT_SILENCE, Inspector } from "../native/inspector.ts";
import { PCM_NOT_A_NUMBER, PCM_OUT_OF_RANGE } from "../native/pcm.ts";
import { type WarningCode, WARNINGS } from "../protocol/errors.ts";
import type { Warning } from "../protocol/events.ts";

const INSPECTED: readonly [number, WarningCode][] = [
  [INSPECT_CLIPPING, "clipping"],
  [INSPECT_SILENCE, "silence"],
  [INSPECT_IDENTICAL, "identical_channels"],
];
const CONVERTED: readonly [number, WarningCode][] = [
  [PCM_NOT_A_NUMBER, "not_a_number"],
  [PCM_OUT_OF_RANGE, "out_of_range"],
];

/** What is suspicious about a stream's audio: each kind is said once. */
export class AudioWarnings {
  readonly #inspector: Inspector;
  readonly #warn: (warning: Warning) => void;
  #inspected = 0;
  #converted = 0;

  /** @param sampleRate the client's, Hz */
  constructor(sampleRate: number, channels: number, warn: (warning: Warning) => void) {
    this.#inspector = new Inspector(sampleRate, channels);
    this.#warn = warn;
  }

  /** Samples before resampling: sample i of channel c is `samples[offsets[c] + i]`. */
  readonly inspect = (samples: Float32Array, offsets: Uint32Array, frames: number): void => {
    const seen = this.#inspector.process(samples, offsets, frames);
    if (seen === this.#inspected) return;
    for (const [bit, code] of INSPECTED) {
      if ((seen & ~this.#inspected & bit) !== 0) this.say(code, this.#inspector.channelOf(bit));
    }
    this.#inspected = seen;
  };

  /** Bits `PCM_*` that the conversion has met so far. */
  converted(flags: number): void {
    if (flags === this.#converted) return;
    for (const [bit, code] of CONVERTED) {
      if ((flags & ~this.#converted & bit) !== 0) this.say(code);
    }
    this.#converted = flags;
  }

  /** Says one kind; the caller sees to it that it does so once. */
  say(code: WarningCode, channel = -1): void {
    this.#warn({ type: "warning", code, message: WARNINGS[code], ...(channel >= 0 && { channel }) });
  }

  [Symbol.dispose](): void {
    this.#inspector[Symbol.dispose]();
  }
}
