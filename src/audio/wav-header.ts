import type { AudioFormat } from "../protocol/format.ts";
import { CHUNK_HEAD_BYTES, chunkName, chunkSize, findName, MAGICS, NAME_WINDOW_BYTES } from "./wav-chunk.ts";
import { EXTENSIBLE_BYTES, FMT_BYTES, significantBits, wavFormat, type WavRefusal } from "./wav-format.ts";

export interface WavHeader {
  readonly format: AudioFormat;
  /** Bits of a sample that are not padding; not always true. */
  readonly significantBits: number;
  /** Bytes of audio by the data chunk; undefined when its writer did not know (a pipe). 0 may mean the same. */
  readonly dataBytes: number | undefined;
  /** Bytes from the start of the file to the first byte of audio. */
  readonly headerBytes: number;
  /** Bytes of the file by its RIFF header; undefined when its writer did not know. */
  readonly fileBytes: number | undefined;
}

export type WavResult =
  /** The header goes on in the next bytes. */
  | { readonly status: "more" }
  /** `bytes[offset]` of the bytes just pushed is the first byte of audio, or one past their end. */
  | { readonly status: "header"; readonly header: WavHeader; readonly offset: number }
  /** There is no WAV header that can be read. */
  | ({ readonly status: "error" } & WavRefusal);

const RIFF_BYTES = 12;
const DS64_BYTES = 24;

/** The part of the file that the next bytes belong to; a chunk here is one of RIFF. */
type Part = "riff" | "chunk name" | "chunk head" | "fmt" | "ds64" | "skipped";

/** A chunk before the audio. */
interface Chunk {
  readonly name: string;
  /** Offset in the file. */
  readonly at: number;
  readonly size: number;
}

/**
 * Reads the header of a WAV file as its bytes arrive, cut anywhere, up to the first byte of audio. Keeps at most 40
 * bytes. Of several `fmt ` chunks the first counts.
 */
export class WavHeaderReader {
  /** Most bytes of a header. */
  readonly #maxBytes: number;
  #part: Part = "riff";
  /** The bytes of the part so far, up to #wanted of them. */
  readonly #buffer = new Uint8Array(EXTENSIBLE_BYTES);
  readonly #view = new DataView(this.#buffer.buffer);
  #filled = 0;
  #wanted = RIFF_BYTES;
  /** Bytes to skip up to the next chunk, padding included. */
  #skip = 0;
  /** Bytes read since the start of the file. */
  #read = 0;
  /** The last byte that was read. */
  #last = 0;
  #chunk: Chunk | undefined;
  #fileBytes: number | undefined;
  /** The file is RF64 or BW64: a ds64 chunk has the sizes. */
  #isWide = false;
  #wideDataBytes: number | undefined;
  #format: AudioFormat | undefined;
  #significantBits = 0;
  #result: WavResult = { status: "more" };

  /** A header with more than `maxBytes` bytes before the audio is refused. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A clause about the last chunk, for the message that a file ends before its audio. */
  get lastChunk(): string {
    if (this.#chunk === undefined) return "before its first chunk";
    const { name, at, size } = this.#chunk;
    return `and its last chunk is '${printable(name)}' at byte ${at}, of ${size} bytes`;
  }

  /** Reads the next bytes of the file. Once there is a header or an error, returns it again, with offset 0. */
  push(bytes: Uint8Array): WavResult {
    let at = 0;
    while (this.#result.status === "more" && at < bytes.length) {
      const missing = this.#part === "skipped" ? this.#skip : this.#wanted - this.#filled;
      const taken = Math.min(missing, bytes.length - at);
      if (this.#part === "skipped") this.#skip -= taken;
      else {
        this.#buffer.set(bytes.subarray(at, at + taken), this.#filled);
        this.#filled += taken;
      }
      at += taken;
      this.#read += taken;
      this.#last = bytes[at - 1] ?? 0;
      if (this.#part === "riff") this.#checkMagic();
      if (taken === missing && this.#result.status === "more") this.#finishPart();
    }
    return this.#result.status === "header" ? { ...this.#result, offset: at } : this.#result;
  }

  /** Refuses the file at the first byte that differs from a WAV header. */
  #checkMagic(): void {
    const start = String.fromCharCode(...this.#buffer.subarray(0, this.#filled));
    const magic = start.slice(0, 4);
    if (!MAGICS.some((name) => name.startsWith(magic))) {
      if (magic === "RIFX") this.#fail("byte order: found big-endian (RIFX); allowed: little-endian (RIFF)", true);
      else this.#fail("it does not begin with RIFF");
    } else if (!"WAVE".startsWith(start.slice(8))) {
      this.#fail("a RIFF file, but not of WAVE audio");
    }
  }

  #finishPart(): void {
    switch (this.#part) {
      case "riff":
        this.#isWide = chunkName(this.#buffer, 0) !== "RIFF";
        this.#fileBytes = fileBytes(knownSize(this.#view.getUint32(4, true)));
        this.#beginChunk();
        break;
      case "chunk name":
        this.#part = "chunk head";
        this.#wanted = 1 + CHUNK_HEAD_BYTES + findName(this.#buffer);
        break;
      case "chunk head": {
        const head = this.#filled - CHUNK_HEAD_BYTES;
        const [name, size] = [chunkName(this.#buffer, head), chunkSize(this.#buffer, head)];
        this.#chunk = { name, at: this.#read - CHUNK_HEAD_BYTES, size };
        this.#beginBody(this.#chunk);
        break;
      }
      case "fmt": {
        const body = this.#buffer.subarray(0, this.#filled);
        const format = wavFormat(body, this.#read - this.#filled);
        if ("reason" in format) return this.#fail(format.reason, format.foreign);
        this.#format = format;
        this.#significantBits = significantBits(body);
        this.#skipToNextChunk();
        break;
      }
      case "ds64":
        this.#fileBytes = fileBytes(this.#wideSize(0));
        this.#wideDataBytes = this.#wideSize(8);
        this.#skipToNextChunk();
        break;
      case "skipped":
        this.#beginChunk();
        break;
    }
  }

  /** Begins with the byte in front of the chunk, which may be the first of its name. */
  #beginChunk(): void {
    this.#begin("chunk name", NAME_WINDOW_BYTES);
    this.#buffer[0] = this.#last;
    this.#filled = 1;
  }

  #begin(part: Part, bytes: number): void {
    this.#part = part;
    this.#wanted = bytes;
    this.#filled = 0;
  }

  #skipToNextChunk(): void {
    if (this.#skip > 0) this.#part = "skipped";
    else this.#beginChunk();
  }

  #beginBody(chunk: Chunk): void {
    const { name, size } = chunk;
    if (name === "data") return this.#finish(chunk);
    if (this.#read + size > this.#maxBytes) {
      return this.#fail(`${describe(chunk)}: found ${size} bytes; allowed: ${this.#maxBytes} before the audio`);
    }
    this.#skip = size + (size % 2);
    if (name === "fmt " && this.#format === undefined) this.#readBody("fmt", chunk, FMT_BYTES, EXTENSIBLE_BYTES);
    else if (name === "ds64" && this.#isWide) this.#readBody("ds64", chunk, DS64_BYTES, DS64_BYTES);
    else this.#skipToNextChunk();
  }

  /** Begins a chunk of which the first `most` bytes are read, and at least `least` must be there. */
  #readBody(part: "fmt" | "ds64", chunk: Chunk, least: number, most: number): void {
    const { size } = chunk;
    if (size < least) return this.#fail(`${describe(chunk)}: found ${size} bytes; allowed: ${least} or more`);
    const bytes = Math.min(size, most);
    this.#skip -= bytes;
    this.#begin(part, bytes);
  }

  /** Returns a size of the ds64 chunk; undefined when its writer did not know. */
  #wideSize(at: number): number | undefined {
    const size = Number(this.#view.getBigUint64(at, true));
    return size > 0 && Number.isSafeInteger(size) ? size : undefined;
  }

  #finish(chunk: Chunk): void {
    if (this.#format === undefined) return this.#fail(`${describe(chunk)}: found no chunk 'fmt ' before it`);
    const isWide = this.#isWide && chunk.size === 0xffffffff;
    const dataBytes = isWide ? this.#wideDataBytes : knownSize(chunk.size);
    const [format, significantBits] = [this.#format, this.#significantBits];
    const header = { format, significantBits, dataBytes, headerBytes: this.#read, fileBytes: this.#fileBytes };
    this.#result = { status: "header", header, offset: 0 };
  }

  #fail(reason: string, foreign = false): void {
    this.#result = { status: "error", reason, foreign };
  }
}

/**
 * Returns undefined for sizes that writers leave when they cannot seek back: ffmpeg 0xFFFFFFFF, SoX 0x7FFFF000, ALSA's
 * arecord 0x80000000 or 0x7FFFFFFF, others less the size of a header.
 */
function knownSize(size: number): number | undefined {
  const isPlaceholder = (size >= 0x7fffef00 && size <= 0x80000100) || size >= 0xffffff00;
  return isPlaceholder ? undefined : size;
}

/** Bytes of a file by the size in its RIFF header. */
function fileBytes(riffSize: number | undefined): number | undefined {
  return riffSize === undefined || riffSize === 0 ? undefined : riffSize + CHUNK_HEAD_BYTES;
}

function describe({ name, at }: Chunk): string {
  return `chunk '${printable(name)}' at byte ${at} of the WAV header`;
}

function printable(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, "?");
}
