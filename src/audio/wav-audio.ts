import { TrailingChunks } from "./trailing-chunks.ts";
import { CHUNK_HEAD_BYTES, isDataChunk, isTrailingChunk } from "./wav-chunk.ts";
import type { WavHeader } from "./wav-header.ts";

/** Bytes behind the audio that show whether they are a chunk: its head, and padding in front of it. */
const PEEK_BYTES = CHUNK_HEAD_BYTES + 1;
/** Bytes by which the sizes of a file may differ: some writers count the RIFF header, or the padding, or do not. */
const TOLERANCE_BYTES = 9;
const NO_BYTES = new Uint8Array(0);

/** The audio in the bytes just pushed: all of `withheld`, then `bytes[start .. end)`. */
export interface AudioRun {
  /** Bytes of earlier pieces that were withheld because they might not be audio. */
  readonly withheld: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Index of the first byte that has to be pushed again. */
  readonly next: number;
}

export interface WavAudioOptions {
  /**
   * True: in a file whose sizes agree, nothing behind the audio is audio, and neither is a second data chunk in any
   * file. False: only whole chunks are left out, so that audio which a client sends behind a header with wrong sizes is
   * never lost.
   */
  readonly endsAtSize: boolean;
  /** Size of the file; undefined for a pipe. */
  readonly size?: number | undefined;
}

/** Where the bytes of a file are: what the header declares, just behind it, in chunks, or in either for good. */
type Place = "declared" | "behind" | "chunks" | "audio" | "ended";

/**
 * Separates the audio of a WAV file, whose header has been read, from the chunks behind it, however the bytes are cut.
 * A size that cannot be right is not obeyed: the audio then goes on to the end.
 */
export class WavAudio {
  /** Bytes of audio by the header, or by the file if the sizes of the header wrapped at 4 GiB; undefined: not known. */
  readonly declaredBytes: number | undefined;
  readonly #endsAtSize: boolean;
  /** Bytes behind the declared audio, as far as the file goes. */
  readonly #room: number;
  /** The header declares no audio at all, or less than the file has by its own RIFF header. */
  readonly #declaresTooLittle: boolean;
  #place: Place;
  /** Bytes to the end of the declared audio, or of the chunks behind it. */
  #left: number;
  /** The first bytes behind the declared audio. */
  #peek: Uint8Array = NO_BYTES;
  #goesOn: boolean;
  #chunkBytes = 0;
  readonly #chunks = new TrailingChunks();
  #hasSecondData = false;

  constructor(header: WavHeader, { endsAtSize, size }: WavAudioOptions) {
    const { headerBytes, fileBytes, dataBytes } = header;
    this.#endsAtSize = endsAtSize;
    this.declaredBytes = realBytes(header, size);
    this.#left = this.declaredBytes ?? Infinity;
    this.#goesOn = this.declaredBytes !== dataBytes;
    const end = headerBytes + (this.declaredBytes ?? 0);
    this.#room = Math.max(fileBytes ?? 0, size ?? 0) - end;
    this.#declaresTooLittle = dataBytes === 0 || (fileBytes ?? 0) - end > TOLERANCE_BYTES;
    const hasEnd = this.#left !== Infinity && (endsAtSize || this.#room >= CHUNK_HEAD_BYTES);
    this.#place = !hasEnd ? "audio" : this.#left === 0 ? "behind" : "declared";
  }

  /** Bytes of audio that the header declares and that have not come; 0 when it declares none. */
  get missingBytes(): number {
    return this.#place === "declared" ? this.#left : 0;
  }

  /** The audio goes on behind what the header declares. */
  get goesOn(): boolean {
    return this.#goesOn;
  }

  /** No audio follows. */
  get ended(): boolean {
    return this.#place === "ended";
  }

  /** All that follows is audio. */
  get isAudioOnly(): boolean {
    return this.#place === "audio";
  }

  /** A second data chunk follows the audio, directly or behind other chunks. It is left out. */
  get hasSecondData(): boolean {
    return this.#hasSecondData;
  }

  /** Bytes of the chunks behind the audio so far. */
  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  /** Takes the next bytes of the file, as far as one place goes. */
  push(bytes: Uint8Array): AudioRun {
    const length = bytes.length;
    switch (this.#place) {
      case "audio":
        return { withheld: NO_BYTES, start: 0, end: length, next: length };
      case "ended":
        return { withheld: NO_BYTES, start: length, end: length, next: length };
      case "declared": {
        const end = this.#advance(length, "behind");
        return { withheld: NO_BYTES, start: 0, end, next: end };
      }
      case "chunks": {
        const next = this.#advance(length, this.#endsAtSize ? "ended" : "audio");
        this.#chunkBytes += next;
        this.#walk(bytes.subarray(0, next));
        return { withheld: NO_BYTES, start: next, end: next, next };
      }
      case "behind": {
        const next = Math.min(length, PEEK_BYTES - this.#peek.length);
        const peek = new Uint8Array(this.#peek.length + next);
        peek.set(this.#peek);
        peek.set(bytes.subarray(0, next), this.#peek.length);
        this.#peek = peek;
        return { withheld: peek.length < PEEK_BYTES ? NO_BYTES : this.#judge(), start: next, end: next, next };
      }
    }
  }

  /** Ends the file. Returns the withheld bytes that are audio after all. */
  end(): Uint8Array {
    return this.#place === "behind" && this.#peek.length > 0 ? this.#judge() : NO_BYTES;
  }

  #advance(length: number, then: Place): number {
    const taken = Math.min(length, this.#left);
    this.#left -= taken;
    if (this.#left === 0) this.#place = then;
    return taken;
  }

  /** Looks at bytes of the chunks behind the audio. Of a file, nothing is needed behind a second data chunk. */
  #walk(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#hasSecondData ||= this.#chunks.hasData;
    if (this.#hasSecondData && this.#endsAtSize) this.#place = "ended";
  }

  /** Decides what follows the declared audio. Returns the bytes so far, if they are audio. */
  #judge(): Uint8Array {
    const peek = this.#peek;
    this.#peek = NO_BYTES;
    const isWhole = isTrailingChunk(peek, this.#room + 1);
    this.#hasSecondData = isDataChunk(peek) && (isWhole || this.#endsAtSize);
    if (isWhole || this.#hasSecondData) {
      this.#chunkBytes = peek.length;
      this.#left = Math.max(0, this.#room - peek.length);
      this.#place = this.#left > 0 ? "chunks" : this.#endsAtSize ? "ended" : "audio";
      this.#walk(peek);
      return NO_BYTES;
    }
    this.#goesOn = this.#declaresTooLittle || !this.#endsAtSize;
    this.#place = this.#goesOn ? "audio" : "ended";
    return this.#goesOn ? peek : NO_BYTES;
  }
}

/** Bytes of audio by the header; more in a file of more than 4 GiB whose writer did not notice that its sizes wrapped. */
function realBytes({ dataBytes, headerBytes }: WavHeader, size: number | undefined): number | undefined {
  if (dataBytes === undefined || size === undefined) return dataBytes;
  const bytes = size - headerBytes;
  return bytes > dataBytes && (bytes - dataBytes) % 2 ** 32 === 0 ? bytes : dataBytes;
}
