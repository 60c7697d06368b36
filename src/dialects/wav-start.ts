import { recogniseForeign } from "../audio/foreign-kinds.ts";
import { WavHeaderReader } from "../audio/wav-header.ts";
import type { AudioFormat } from "../protocol/format.ts";

/** Bytes of a header that are kept until its end. A longer one is refused. */
const MAX_HEADER_BYTES = 65_536;

/** `audio`: everything so far, the header included, in order. */
export type WavStarted =
  | { readonly status: "more" }
  | { readonly status: "format"; readonly format: AudioFormat; readonly audio: readonly Uint8Array[] }
  /** `reason` is a clause for a message. */
  | { readonly status: "error"; readonly reason: string };

/**
 * The beginning of audio whose format only a WAV header says. The header stays in front of the audio, because the stream
 * that is started with its format skips it, and with it the chunks behind the audio.
 */
export class WavStart {
  readonly #reader = new WavHeaderReader(MAX_HEADER_BYTES);
  #held: Uint8Array[] = [];

  /** Nothing has come yet. */
  get empty(): boolean {
    return this.#held.length === 0;
  }

  /** Returns what has come of a header that goes on, once: nothing more comes. */
  take(): readonly Uint8Array[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  push(bytes: Uint8Array): WavStarted {
    this.#held.push(bytes);
    const result = this.#reader.push(bytes);
    if (result.status === "more") return result;
    const audio = this.#held;
    this.#held = [];
    if (result.status === "error") {
      const kind = recogniseForeign(Buffer.concat(audio));
      return { status: "error", reason: typeof kind === "object" ? `it is ${kind.name}` : result.reason };
    }
    return { status: "format", format: result.header.format, audio };
  }
}
