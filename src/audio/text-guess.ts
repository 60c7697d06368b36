/** A kind of text. */
export type Text = "JSON" | "base64";

/** The first characters show JSON: an object with a key, or a list of numbers, and every beginning of those. */
const HEAD_BYTES = 16;
const JSON_HEAD = /^\s*(?:\{\s*(?:"[\x20-\x7e]*)?|\[[\s\d.,eE+-]*)?$/;
const DATA_URL = "data:";

/** Bytes and different bytes among them that show base64. Text of silence has few different ones for long. */
const BASE64_BYTES = 512;
const BASE64_DISTINCT = 24;
const MAX_BYTES = 65_536;

const ALPHABET = new Uint8Array(256);
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n") {
  ALPHABET[letter.charCodeAt(0)] = 1;
}

/** Guess whether a stream is text in place of samples. For most audio, the first byte answers it. */
export class TextGuess {
  #head = "";
  #seen = 0;
  #isBase64 = true;
  readonly #distinct = new Set<number>();
  #guess: Text | undefined;
  #done = false;

  /** Nothing more is looked at. */
  get done(): boolean {
    return this.#done;
  }

  /** The kind of text; undefined: samples, as far as is known. */
  get guess(): Text | undefined {
    return this.#guess;
  }

  /** Takes the next bytes, `bytes[start .. end)`. */
  push(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end && !this.#done; at++) this.#take(bytes[at] ?? 0);
  }

  #take(byte: number): void {
    this.#seen += 1;
    this.#distinct.add(byte);
    this.#isBase64 &&= ALPHABET[byte] === 1;
    const inHead = this.#seen <= HEAD_BYTES;
    if (inHead) this.#head += String.fromCharCode(byte);
    if (this.#head === DATA_URL) this.#guess = "base64";
    else if (inHead && JSON_HEAD.test(this.#head)) {
      if (this.#seen === HEAD_BYTES) this.#guess = "JSON";
    } else if (!this.#isBase64) this.#done = !DATA_URL.startsWith(this.#head);
    else if (this.#seen >= BASE64_BYTES && this.#distinct.size >= BASE64_DISTINCT) this.#guess = "base64";
    this.#done ||= this.#guess !== undefined || this.#seen === MAX_BYTES;
  }
}
