import type { AudioFormat } from "../../protocol/format.ts";
import { WavStart, type WavStarted } from "../wav-start.ts";

/** What every WAV file begins with: of one with 64-bit sizes, or in the other order of bytes, the second and third. */
const MAGICS: readonly string[] = ["RIFF", "RF64", "RIFX", "BW64"];
const MAGIC_BYTES = 4;

/** The beginning of audio that may have a WAV header. The header is the format, and otherwise what the client has said. */
export class AudioOpening {
  readonly #wav = new WavStart();
  readonly #said: AudioFormat | undefined;
  /** Audio of which it is not known whether it is a header; undefined: it is. */
  #head: Uint8Array | undefined = new Uint8Array(0);

  /** @param said undefined: only a header can say it */
  constructor(said: AudioFormat | undefined) {
    this.#said = said;
    if (said === undefined) this.#head = undefined;
  }

  /** Nothing has come yet. */
  get empty(): boolean {
    return this.#wav.empty && (this.#head?.length ?? 0) === 0;
  }

  push(bytes: Uint8Array): WavStarted {
    if (this.#head === undefined || this.#said === undefined) return this.#wav.push(bytes);
    const head = Buffer.concat([this.#head, bytes]);
    if (head.length < MAGIC_BYTES) {
      this.#head = head;
      return { status: "more" };
    }
    this.#head = undefined;
    if (MAGICS.includes(head.toString("latin1", 0, MAGIC_BYTES))) return this.#wav.push(head);
    return { status: "format", format: this.#said, audio: [head] };
  }
}
