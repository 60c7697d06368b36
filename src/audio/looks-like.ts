import { SAMPLE_FORMATS, type SampleFormat } from "../lib/sample-format.ts";
import { FormatGuess, type Guess } from "./format-guess.ts";
import type { Reading } from "./readings.ts";
import { type Text, TextGuess } from "./text-guess.ts";

const OTHER_DATA: Readonly<Record<Text | "compressed", string>> = {
  JSON: "JSON text: send requests in text messages, and samples in binary messages.",
  base64: "base64 text: decode it, and send the bytes.",
  hexadecimal: "hexadecimal text: decode it, and send the bytes.",
  HTML: "HTML or XML, such as the page of an error: send PCM samples.",
  text: "text: send samples as bytes, not as characters.",
  compressed: "compressed or encrypted data: decode it, and send PCM samples.",
};

/**
 * Guess what a stream is when it is not what the start announced: text, compressed data, or samples of another format.
 * Nothing is looked at behind the first second of sound.
 */
export class LooksLike {
  readonly #declared: SampleFormat;
  readonly #text = new TextGuess();
  readonly #format: FormatGuess;

  constructor(declared: SampleFormat, channels: number, sampleRate: number) {
    this.#declared = declared;
    this.#format = new FormatGuess(declared, channels, sampleRate);
  }

  /** Nothing more is looked at. */
  get done(): boolean {
    return this.#text.guess !== undefined || (this.#text.done && this.#format.done);
  }

  /** Takes the next bytes, `bytes[start .. end)`. Returns the message of a warning with the last look. */
  push(bytes: Uint8Array, start: number, end: number): string | undefined {
    this.#text.push(bytes, start, end);
    this.#format.push(bytes, start, end);
    if (!this.done) return undefined;
    const guess = this.#text.guess ?? this.#format.guess;
    return guess === undefined ? undefined : `The audio looks like ${this.#describe(guess)}`;
  }

  #describe(guess: Guess | Text): string {
    if (typeof guess === "string") return OTHER_DATA[guess];
    const { format, bigEndian, shift } = guess;
    const found = `${bigEndian ? "big-endian " : ""}${nameOf(format)}`;
    if (shift > 0) return `${found} that begin with a part of a sample: a byte is missing or too many at the start.`;
    return `${found}, not ${nameOf(this.#declared)} as the start announced: ${this.#remedy(guess)}`;
  }

  #remedy({ format, bigEndian }: Reading): string {
    if (bigEndian && format === this.#declared) return "send the least significant byte of each sample first.";
    return bigEndian ? "convert them." : "correct `format`, or convert them.";
  }
}

/** "16-bit integers", "32-bit floats", "mulaw". */
function nameOf(format: SampleFormat): string {
  const { bit_depth, is_float, encoding } = SAMPLE_FORMATS[format];
  return encoding === "pcm" ? `${bit_depth}-bit ${is_float ? "floats" : "integers"}` : encoding;
}
