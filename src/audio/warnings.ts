import { INSPECT_CLIPPING, INSPECT_IDENTICAL, INSPECT_SILENCE } from "../native/inspector.ts";
import { PCM_NOT_A_NUMBER, PCM_OUT_OF_RANGE } from "../native/pcm.ts";
import type { Warning } from "../protocol/events.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { WarningCode } from "../protocol/warnings.ts";

const INSPECTED: readonly [number, WarningCode][] = [
  [INSPECT_CLIPPING, "clipping"],
  [INSPECT_SILENCE, "silence"],
  [INSPECT_IDENTICAL, "identical_channels"],
];
const CONVERTED: readonly [number, WarningCode][] = [
  [PCM_NOT_A_NUMBER, "not_a_number"],
  [PCM_OUT_OF_RANGE, "out_of_range"],
];

/** What a decoder has found so far. */
export interface Findings {
  /** Bits INSPECT_*, of the audio before resampling. */
  readonly observed: number;
  /** Bits PCM_*, of float samples. */
  readonly flags: number;
  /** Returns the channel of a bit INSPECT_*; -1: of no single channel. */
  channelOf(bit: number): number;
}

/** Bits INSPECT_* and PCM_* that have been reported. */
export type Reported = Pick<Findings, "observed" | "flags">;

/** Warnings about a stream's audio. Each kind that is detected here is reported once. */
export class AudioWarnings {
  readonly #send: (warning: Warning) => void;
  /** Bits INSPECT_* and PCM_* that have been reported. */
  #observed = 0;
  #flags = 0;

  /** @param reported bits that have been reported before */
  constructor(send: (warning: Warning) => void, reported: Reported = { observed: 0, flags: 0 }) {
    this.#send = send;
    this.#observed = reported.observed;
    this.#flags = reported.flags;
  }

  /** The bits that have been reported. */
  get reported(): Reported {
    return { observed: this.#observed, flags: this.#flags };
  }

  /** Reports what a decoder has found. To be called after each piece that it decodes. */
  look(decoder: Findings): void {
    if ((decoder.observed & ~this.#observed) !== 0) this.#reportObserved(decoder);
    if ((decoder.flags & ~this.#flags) !== 0) this.#reportFlags(decoder.flags);
  }

  /** Sends a warning. @param channel -1: of no single channel; @param message default: that of the code */
  report(code: WarningCode, channel = -1, message?: string): void {
    this.#send(warningEvent(code, channel, message));
  }

  #reportObserved(decoder: Findings): void {
    const { observed } = decoder;
    for (const [bit, code] of INSPECTED) {
      if ((observed & ~this.#observed & bit) !== 0) this.report(code, decoder.channelOf(bit));
    }
    this.#observed |= observed;
  }

  #reportFlags(flags: number): void {
    for (const [bit, code] of CONVERTED) {
      if ((flags & ~this.#flags & bit) !== 0) this.report(code);
    }
    this.#flags |= flags;
  }
}
