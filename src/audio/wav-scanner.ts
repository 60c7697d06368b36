import type { AudioFormat } from "../protocol/format.ts";
import { WavAudio } from "./wav-audio.ts";
import { MAGICS } from "./wav-chunk.ts";
import { WavHeaderReader } from "./wav-header.ts";

/** A longer header, with all RIFF chunks before the audio, is refused. */
export const MAX_HEADER_BYTES = 1024 * 1024;

/** A header is recognised by its mark: "RIFF", "RF64" or "BW64", a size of four bytes, "WAVE". */
const MARK_BYTES = 12;
/** The longest beginning of a mark. */
const TAIL_BYTES = MARK_BYTES - 1;
const RIFF = Buffer.from("RIFF", "latin1");
const WAVE = Buffer.from("WAVE", "latin1");
const LETTER_R = 0x52;
const NO_BYTES = new Uint8Array(0);

/** The audio in the bytes just scanned: all of `withheld`, then `bytes[start .. end)`. */
export interface ScanResult {
  /** Bytes of earlier messages that were withheld because they looked like a header. */
  readonly withheld: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Index of the first byte that has to be scanned again; past the end when all have been scanned. */
  readonly next: number;
  /** A header of the stream's own format ended at `start` and was skipped. */
  readonly skippedHeader?: boolean;
  /** There is a header at `end` that contradicts the stream, which cannot go on. A clause for an error message. */
  readonly mismatch?: string;
}

const NOTHING: ScanResult = { withheld: NO_BYTES, start: 0, end: 0, next: 0 };

/**
 * Finds WAV headers in the bytes of a stream that was announced as PCM, however they are cut into messages. A header of
 * the stream's own format is skipped at the start of the stream, and so are the chunks that its file has behind the
 * audio. Any other header is a mismatch.
 */
export class WavScanner {
  readonly #expected: AudioFormat;
  /** Reads a header at the start of the stream; undefined once there is one, or can be none. */
  #reader: WavHeaderReader | undefined = new WavHeaderReader(MAX_HEADER_BYTES);
  /** The audio behind the header that was skipped. */
  #file: WavAudio | undefined;
  /** The first bytes of the stream, withheld while they may be the mark of a header. */
  #withheld: Uint8Array = NO_BYTES;
  /** The last bytes of the audio so far, up to one less than a mark. */
  #tail: Uint8Array = NO_BYTES;
  /** A mark may have begun in the tail. */
  #tailHasR = false;
  #skipped = 0;

  constructor(expected: AudioFormat) {
    this.#expected = expected;
  }

  /** Bytes of the header and the chunks that were skipped, or of the part of them that has arrived. */
  get skippedBytes(): number {
    return this.#skipped + (this.#file?.chunkBytes ?? 0);
  }

  /** A second data chunk of the file whose header was skipped is skipped, too. */
  get skippedData(): boolean {
    return this.#file?.hasSecondData ?? false;
  }

  /**
   * Scans the bytes of a message if they can only be audio, as almost all can. Returns false when it takes `scan` to
   * decide that; nothing has been scanned then.
   */
  pass(bytes: Uint8Array): boolean {
    if (this.#reader !== undefined || this.#file?.isAudioOnly === false || this.#tailHasR) return false;
    if (indexOfRiff(bytes, 0) >= 0) return false;
    this.#keepTail(bytes);
    return true;
  }

  /** Scans the bytes of a message up to `next` of the result. */
  scan(bytes: Uint8Array): ScanResult {
    if (this.#reader !== undefined) return this.#scanStart(this.#reader, bytes);
    if (this.#file?.isAudioOnly === false) return this.#scanFile(this.#file, bytes);
    return this.#scanAudio(bytes);
  }

  /** Ends the stream. Returns the withheld bytes, which are audio after all. */
  end(): Uint8Array {
    const withheld = this.#file?.end() ?? this.#withheld;
    this.#withheld = NO_BYTES;
    return withheld;
  }

  #scanStart(reader: WavHeaderReader, bytes: Uint8Array): ScanResult {
    const result = reader.push(bytes);
    switch (result.status) {
      case "more":
        this.#withholdOrSkip(bytes);
        return { withheld: NO_BYTES, start: 0, end: 0, next: bytes.length };
      case "header": {
        const { header, offset } = result;
        this.#reader = undefined;
        this.#withheld = NO_BYTES;
        this.#skipped = header.headerBytes;
        const mismatch = this.#difference(header.format);
        if (mismatch === undefined) this.#file = new WavAudio(header, { endsAtSize: false });
        const place = { withheld: NO_BYTES, start: offset, end: offset, next: offset };
        return mismatch === undefined ? { ...place, skippedHeader: true } : { ...place, mismatch };
      }
      case "error":
        this.#reader = undefined;
        return this.#scanAfterError(result.reason, bytes);
    }
  }

  /** The bytes so far may be a header's: they are skipped when they have its mark, else withheld. */
  #withholdOrSkip(bytes: Uint8Array): void {
    const length = this.#withheld.length + bytes.length;
    if (this.#skipped === 0 && length < MARK_BYTES) this.#withheld = concat(this.#withheld, bytes);
    else {
      this.#skipped += length;
      this.#withheld = NO_BYTES;
    }
  }

  /** The stream begins with a header that cannot be read, or with audio. */
  #scanAfterError(reason: string, bytes: Uint8Array): ScanResult {
    const withheld = this.end();
    const joint = concat(withheld, bytes);
    if (this.#skipped > 0 || hasMark(joint)) {
      // Nothing counts as skipped: how much of the header has arrived depends on how the bytes are cut.
      this.#skipped = 0;
      const mismatch = `a WAV header that cannot be read: ${reason}`;
      return { withheld: NO_BYTES, start: 0, end: 0, next: bytes.length, mismatch };
    }
    // A mark may begin in the withheld bytes.
    const found = this.#scanAudio(joint);
    return { ...found, withheld, end: found.end - withheld.length, next: bytes.length };
  }

  #scanFile(file: WavAudio, bytes: Uint8Array): ScanResult {
    const run = file.push(bytes);
    const { mismatch, end } = run.withheld.length > 0 ? this.#scanAudio(run.withheld) : NOTHING;
    if (mismatch !== undefined) {
      return { withheld: run.withheld.subarray(0, end), start: 0, end: 0, next: bytes.length, mismatch };
    }
    const isWhole = run.start === 0 && run.end === bytes.length;
    const found = this.#scanAudio(isWhole ? bytes : bytes.subarray(run.start, run.end));
    return { ...found, withheld: run.withheld, start: run.start, end: run.start + found.end, next: run.next };
  }

  #scanAudio(bytes: Uint8Array): ScanResult {
    const end = this.#findMark(bytes);
    if (end === undefined) return { withheld: NO_BYTES, start: 0, end: bytes.length, next: bytes.length };
    const mismatch = "a WAV header inside the audio; send each file as a stream of its own";
    return { withheld: NO_BYTES, start: 0, end, next: bytes.length, mismatch };
  }

  /** Returns where a mark ends in these bytes, also when it began in earlier ones. */
  #findMark(bytes: Uint8Array): number | undefined {
    if (this.#tailHasR) {
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
      this.#tailHasR = this.#tail.includes(LETTER_R);
      return;
    }
    if (this.#tail.length < TAIL_BYTES) this.#tail = new Uint8Array(TAIL_BYTES);
    // Byte by byte: a view of a message keeps its memory alive until a full collection (Bun 1.4.5).
    const from = bytes.length - TAIL_BYTES;
    let hasR = false;
    for (let i = 0; i < TAIL_BYTES; i++) {
      const byte = bytes[from + i] ?? 0;
      this.#tail[i] = byte;
      if (byte === LETTER_R) hasR = true;
    }
    this.#tailHasR = hasR;
  }

  #difference(found: AudioFormat): string | undefined {
    for (const key of ["channels", "sample_rate", "bit_depth", "is_float", "encoding"] as const) {
      if (found[key] !== this.#expected[key]) {
        return `the WAV header has ${key} ${found[key]}, but the start had ${this.#expected[key]}`;
      }
    }
    return undefined;
  }
}

function hasMark(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MARK_BYTES)).toString("latin1");
  return MAGICS.includes(text.slice(0, 4)) && text.slice(8) === "WAVE";
}

/** Index of the first mark with "RIFF". The other magics count at the start of a stream only. */
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
