/** A kind of text. */
export type Text = "JSON" | "base64" | "hexadecimal" | "HTML" | "text";

/** The first characters show JSON: an object with a key, or a list of numbers, and every beginning of those. */
const HEAD_BYTES = 16;
const JSON_HEAD = /^\s*(?:\{\s*(?:"[\x20-\x7e]*)?|\[[\s\d.,eE+-]*)?$/;
const DATA_URL = "data:";
/** The page of an error, and every beginning of one. */
const HTML_HEADS = ["<!doctype", "<html", "<?xml", "<head", "<body"];

/** Bytes and different bytes among them that show base64. Text of silence has few different ones for long. */
const BASE64_BYTES = 512;
const BASE64_DISTINCT = 24;
const MAX_BYTES = 65_536;

/**
 * Bytes, different bytes among them, and the mean step from one to the next that show other text. 8-bit audio that is
 * all characters for so long is a slow one, with small steps.
 */
const TEXT_BYTES = 1_024;
const TEXT_DISTINCT = 6;
const HEXADECIMAL_DISTINCT = 10;
const TEXT_STEP = 8;

/** Classes of text that a byte may belong to. */
const BASE64 = 1;
const HEXADECIMAL = 2;
const PRINTABLE = 4;

const CLASSES = new Uint8Array(256).fill(PRINTABLE, 0x20, 0x7f);
const BASE64_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n";
for (const [characters, bit] of [
  ["\t\r\n", PRINTABLE],
  [BASE64_LETTERS, BASE64],
  ["0123456789abcdefABCDEF \r\n", HEXADECIMAL],
] as const) {
  for (const character of characters) {
    const code = character.charCodeAt(0);
    CLASSES[code] = (CLASSES[code] ?? 0) | bit;
  }
}

/** Guess whether a stream is text in place of samples. For most audio, the first byte answers it. */
export class TextGuess {
  #head = "";
  #seen = 0;
  /** The classes that all bytes so far belong to. */
  #classes = BASE64 | HEXADECIMAL | PRINTABLE;
  #last = 0;
  /** Sum of the steps from one byte to the next. */
  #steps = 0;
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
    this.#classes &= CLASSES[byte] ?? 0;
    this.#steps += Math.abs(byte - this.#last);
    this.#last = byte;
    const inHead = this.#seen <= HEAD_BYTES;
    if (inHead) this.#head += String.fromCharCode(byte);
    if (this.#head === DATA_URL) this.#guess = "base64";
    else if (inHead && HTML_HEADS.includes(this.#head.trimStart().toLowerCase())) this.#guess = "HTML";
    else if (inHead && JSON_HEAD.test(this.#head)) {
      if (this.#seen === HEAD_BYTES) this.#guess = "JSON";
    } else if (this.#classes === 0) this.#done = true;
    else this.#guess = this.#kindOf();
    this.#done ||= this.#guess !== undefined || this.#seen === MAX_BYTES;
  }

  #kindOf(): Text | undefined {
    const { size } = this.#distinct;
    const has = (bit: number): boolean => (this.#classes & bit) !== 0;
    if (has(HEXADECIMAL)) return this.#seen >= TEXT_BYTES && size >= HEXADECIMAL_DISTINCT ? "hexadecimal" : undefined;
    if (has(BASE64)) return this.#seen >= BASE64_BYTES && size >= BASE64_DISTINCT ? "base64" : undefined;
    if (this.#seen < TEXT_BYTES) return undefined;
    if (size >= TEXT_DISTINCT && this.#steps >= TEXT_STEP * this.#seen) return "text";
    this.#done = true;
    return undefined;
  }
}
