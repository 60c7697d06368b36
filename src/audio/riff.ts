import type { AudioFormat } from "../protocol/format.ts";
import { WavHeaderReader } from "./wav.ts";

/** Bytes of "RIFF", a size, "WAVE": what a header is recognised by. */
const MARK_BYTES = 12;
/** The longest beginning of a mark. */
const TAIL_BYTES = MARK_BYTES - 1;
const RIFF = Buffer.from("RIFF", "latin1");
const WAVE = Buffer.from("WAVE", "latin1");
const LETTER_R = 0x52;
const NO_BYTES = new Uint8Array(0);

/** What is audio in the bytes just scanned: all of `held`, then `bytes[start .. end)`. */
export interface Scan {
  /** Bytes of earlier messages that were kept back because they looked like a header. */
  readonly held: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** A header of the stream's own format was skipped, up to `start`. */
  readonly skippedHeader?: boolean;
  /** The stream cannot go on behind `end`: a header where none may be; the reason is fit for a person. */
  readonly mismatch?: string;
}

/**
 * Finds WAV headers in what was announced as PCM, however it is cut into messages. One that opens the stream is skipped when it tells
 * the stream's own format; anywhere else, or with another format, it is a mismatch.
 */
export class RiffWatch {
  readonly #expected: AudioFormat;
  #reader: WavHeaderReader | undefined = new WavHeaderReader();
  /** The first bytes of the stream, kept while they may be a header's mark. */
  #held: Uint8Array = NO_BYTES;
  /** The last bytes of the stream, up to one less than a mark. */
  #tail: Uint8Array = NO_BYTES;
  #skipped = 0;

  constructor(expected: AudioFormat) {
    this.#expected = expected;
  }

  /** Bytes of a header that was skipped. */
  get skippedBytes(): number {
    return this.#skipped;
  }

  scan(bytes: Uint8Array): Scan {
    return this.#reader === undefined ? this.#search(bytes) : this.#open(this.#reader, bytes);
  }

  /** The stream has ended: bytes that were kept back are audio after all. */
  end(): Uint8Array {
    const held = this.#held;
    this.#held = NO_BYTES;
    return held;
  }

  #open(reader: WavHeaderReader, bytes: Uint8Array): Scan {
    const result = reader.push(bytes);
    const marked = this.#skipped > 0 || this.#held.length + bytes.length >= MARK_BYTES;
    if (result.status === "header") {
      this.#skipped = result.header.headerBytes;
      this.#reader = undefined;
      this.#held = NO_BYTES;
      const mismatch = this.#difference(result.header.format);
      if (mismatch !== undefined) return { held: NO_BYTES, start: result.offset, end: result.offset, mismatch };
      const rest = this.#search(bytes.subarray(result.offset));
      return { ...rest, start: result.offset, end: result.offset + rest.end, skippedHeader: true };
    }
    if (result.status === "error") {
      this.#reader = undefined;
      const held = this.end();
      const joint = concat(held, bytes);
      if (this.#skipped > 0 || isHeader(joint)) {
        // Nothing counts as skipped: how much of it has come depends on how the bytes are cut.
        this.#skipped = 0;
        return { held: NO_BYTES, start: 0, end: 0, mismatch: `a WAV header that cannot be read: ${result.reason}` };
      }
      // A mark may begin in the bytes kept back.
      const found = this.#search(joint);
      return { ...found, held, end: found.end - held.length };
    }
    if (marked) {
      this.#skipped += this.#held.length + bytes.length;
      this.#held = NO_BYTES;
    } else {
      this.#held = concat(this.#held, bytes);
    }
    return { held: NO_BYTES, start: 0, end: 0 };
  }

  #search(bytes: Uint8Array): Scan {
    const end = this.#findMark(bytes);
    if (end === undefined) return { held: NO_BYTES, start: 0, end: bytes.length };
    const mismatch = "a WAV header inside the audio; send each file as a stream of its own";
    return { held: NO_BYTES, start: 0, end, mismatch };
  }

  /** Where a mark ends in these bytes, also one that began in earlier ones. */
  #findMark(bytes: Uint8Array): number | undefined {
    if (this.#tail.includes(LETTER_R)) {
      const joint = concat(this.#tail, bytes.subarray(0, TAIL_BYTES));
      const at = indexOfMark(joint);
      if (at !== undefined) return at + MARK_BYTES - this.#tail.length;
    }
    const at = indexOfMark(bytes);
    if (at !== undefined) return at + MARK_BYTES;
    this.#keepTail(bytes);
    return undefined;
  }

  #keepTail(bytes: Uint8Array): void {
    if (bytes.length < TAIL_BYTES) {
      this.#tail = concat(this.#tail, bytes).slice(-TAIL_BYTES);
      return;
    }
    if (this.#tail.length < TAIL_BYTES) this.#tail = new Uint8Array(TAIL_BYTES);
    // Byte by byte: a view of a message makes its memory live until a full collection (Bun 1.4.5).
    const from = bytes.length - TAIL_BYTES;
    for (let i = 0; i < TAIL_BYTES; i++) this.#tail[i] = bytes[from + i] ?? 0;
  }

  #difference(found: AudioFormat): string | undefined {
    for (const key of ["channels", "sample_rate", "bit_depth", "is_float", "encoding"] as const) {
      if (found[key] !== this.#expected[key]) {
        return `the WAV header says ${key} ${found[key]}, but the start said ${this.#expected[key]}`;
      }
    }
    return undefined;
  }
}

/** Whether bytes begin with the mark of a file that `WavHeaderReader` would read. */
function isHeader(bytes: Uint8Array): boolean {
  const mark = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MARK_BYTES)).toString("latin1");
  return /^(RIFF|RF64|BW64)[^]{4}WAVE$/.test(mark);
}

function indexOfMark(bytes: Uint8Array): number | undefined {
  for (let at = indexOfRiff(bytes, 0); at >= 0; at = indexOfRiff(bytes, at + 1)) {
    if (at + MARK_BYTES > bytes.length) return undefined;
    if (WAVE.every((letter, i) => bytes[at + 8 + i] === letter)) return at;
  }
  return undefined;
}

function indexOfRiff(bytes: Uint8Array, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, RIFF, from);
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const joint = new Uint8Array(first.length + second.length);
  joint.set(first);
  joint.set(second, first.length);
  return joint;
}
