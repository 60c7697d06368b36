import type { AudioFormat } from "../protocol/format.ts";
import { WavHeaderReader } from "./wav.ts";

/** Bytes of "RIFF", a size, "WAVE": what a header is recognised by. */
const MARK_BYTES = 12;
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
      if (this.#skipped > 0 || (marked && isMark(concat(this.#held, bytes)))) {
        this.#skipped += bytes.length;
        return { held: NO_BYTES, start: 0, end: 0, mismatch: `a WAV header that cannot be read: ${result.reason}` };
      }
      const held = this.end();
      // A mark may begin in the bytes kept back.
      const found = this.#search(concat(held, bytes));
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
    const keep = MARK_BYTES - 1;
    if (this.#tail.includes(LETTER_R)) {
      const joint = concat(this.#tail, bytes.subarray(0, keep));
      const at = indexOfMark(joint);
      if (at !== undefined) return at + MARK_BYTES - this.#tail.length;
    }
    const at = indexOfMark(bytes);
    if (at !== undefined) return at + MARK_BYTES;
    this.#tail = bytes.length >= keep ? bytes.slice(-keep) : concat(this.#tail, bytes).slice(-keep);
    return undefined;
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

function isMark(bytes: Uint8Array): boolean {
  return indexOfMark(bytes.subarray(0, MARK_BYTES)) === 0;
}

function indexOfMark(bytes: Uint8Array): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = buffer.indexOf(RIFF); at >= 0; at = buffer.indexOf(RIFF, at + 1)) {
    if (at + MARK_BYTES > buffer.length) return undefined;
    if (buffer.subarray(at + 8, at + MARK_BYTES).equals(WAVE)) return at;
  }
  return undefined;
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const joint = new Uint8Array(first.length + second.length);
  joint.set(first);
  joint.set(second, first.length);
  return joint;
}
