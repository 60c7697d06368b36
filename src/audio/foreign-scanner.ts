import { type AudioFormat, sampleFormat } from "../protocol/format.ts";
import { FOREIGN_WINDOW_BYTES, type ForeignKind, recogniseForeign } from "./foreign-kinds.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * Looks for audio that is not PCM in the first bytes of a stream, however they are cut into messages. Bytes are held
 * only as long as they may begin a foreign kind: mostly none, at most FOREIGN_WINDOW_BYTES.
 */
export class ForeignScanner {
  #held: Uint8Array = NO_BYTES;

  /**
   * Looks at the next bytes. "more": they are held, and no result is known. Otherwise the scanner has done its work: the
   * kind that the stream begins with, or undefined for audio, which is the held bytes and then these.
   */
  scan(bytes: Uint8Array): ForeignKind | "more" | undefined {
    const first = bytes.subarray(0, FOREIGN_WINDOW_BYTES - this.#held.length);
    const window = this.#held.length === 0 ? first : Buffer.concat([this.#held, first]);
    const found = recogniseForeign(window);
    // A copy: a view would keep the memory of the message.
    if (found === "more") this.#held = new Uint8Array(window);
    return found;
  }

  /** Returns the held bytes, which are held no longer. */
  take(): Uint8Array {
    const held = this.#held;
    this.#held = NO_BYTES;
    return held;
  }
}

/** Returns the sentences of a `format_mismatch`: what the audio is, and what to send. */
export function foreignMessage({ name, isRecordedByBrowsers }: ForeignKind, format: AudioFormat): string {
  const { channels, sample_rate, encoding } = format;
  const samples = sampleFormat(format);
  const muxer = encoding === "pcm" && samples !== "u8" ? `${samples}le` : samples;
  const command = `ffmpeg -i FILE -f ${muxer} -ac ${channels} -ar ${sample_rate} -`;
  const found = `audio: found ${name}; allowed: PCM samples without a container, as the start announced them.`;
  const browser = isRecordedByBrowsers ? " In a browser, take samples from an AudioWorklet, not a MediaRecorder." : "";
  return `${found} This command writes them: ${command}.${browser}`;
}
