import type { AudioFormat } from "../protocol/format.ts";
import { EXTENSIBLE_BYTES, FMT_BYTES, wavFormat } from "./wav-format.ts";

/** A longer header, with all RIFF chunks before the audio, is refused. */
export const MAX_HEADER_BYTES = 1024 * 1024;

export interface WavHeader {
  readonly format: AudioFormat;
  /** Bytes of audio that the data chunk announces; undefined when its writer did not know (a pipe). */
  readonly dataBytes: number | undefined;
  /** Bytes from the start of the file to the first byte of audio. */
  readonly headerBytes: number;
}

export type WavResult =
  /** The header goes on in the next bytes. */
  | { readonly status: "more" }
  /** `bytes[offset]` of the bytes just pushed is the first byte of audio, or one past their end. */
  | { readonly status: "header"; readonly header: WavHeader; readonly offset: number }
  /** There is no WAV header that can be read. `reason` is a clause for an error message. */
  | { readonly status: "error"; readonly reason: string };

/** The first four bytes of a file: RIFF, and its two forms for more than 4 GiB. */
export const MAGICS: readonly string[] = ["RIFF", "RF64", "BW64"];

/**
 * Sizes of data that writers leave when they cannot seek back: ffmpeg 0xFFFFFFFF, SoX 0x7FFFF000, ALSA's arecord
 * 0x80000000 or 0x7FFFFFFF.
 */
const PLACEHOLDER_SIZES = new Set([0xffffffff, 0x7ffff000, 0x7fffffff, 0x80000000]);

const RIFF_BYTES = 12;
const CHUNK_HEAD_BYTES = 8;
const DS64_BYTES = 24;

/** The part of the file that the next bytes belong to; a chunk here is one of RIFF. */
type Part = "riff" | "chunk head" | "fmt" | "ds64" | "skipped";

/**
 * Reads the header of a WAV file as its bytes arrive, cut anywhere, up to the first byte of audio. Keeps at most 40
 * bytes.
 */
export class WavHeaderReader {
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
  #riffSize = 0;
  /** The file is RF64 or BW64: a ds64 chunk has the sizes. */
  #isWide = false;
  #wideDataSize: bigint | undefined;
  #format: AudioFormat | undefined;
  #result: WavResult = { status: "more" };

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
      if (this.#part === "riff") this.#checkMagic();
      if (taken === missing && this.#result.status === "more") this.#finishPart();
    }
    return this.#result.status === "header" ? { ...this.#result, offset: at } : this.#result;
  }

  /** Refuses the file at the first byte that differs from a WAV header. */
  #checkMagic(): void {
    const start = ascii(this.#buffer, 0, this.#filled);
    const magic = start.slice(0, 4);
    if (!MAGICS.some((name) => name.startsWith(magic))) {
      this.#fail(magic === "RIFX" ? "big-endian WAV (RIFX) is not supported" : "it does not begin with RIFF");
    } else if (!"WAVE".startsWith(start.slice(8))) {
      this.#fail("a RIFF file, but not of WAVE audio");
    }
  }

  #finishPart(): void {
    switch (this.#part) {
      case "riff":
        this.#isWide = ascii(this.#buffer, 0, 4) !== "RIFF";
        this.#riffSize = this.#view.getUint32(4, true);
        this.#begin("chunk head", CHUNK_HEAD_BYTES);
        break;
      case "chunk head":
        this.#beginChunk(ascii(this.#buffer, 0, 4), this.#view.getUint32(4, true));
        break;
      case "fmt": {
        const format = wavFormat(this.#buffer.subarray(0, this.#filled));
        if (typeof format === "string") return this.#fail(format);
        this.#format = format;
        this.#skipToNextChunk();
        break;
      }
      case "ds64":
        this.#wideDataSize = this.#view.getBigUint64(8, true);
        this.#skipToNextChunk();
        break;
      case "skipped":
        this.#begin("chunk head", CHUNK_HEAD_BYTES);
        break;
    }
  }

  #begin(part: Part, bytes: number): void {
    this.#part = part;
    this.#wanted = bytes;
    this.#filled = 0;
  }

  #skipToNextChunk(): void {
    if (this.#skip > 0) this.#part = "skipped";
    else this.#begin("chunk head", CHUNK_HEAD_BYTES);
  }

  #beginChunk(name: string, size: number): void {
    if (name === "data") return this.#finish(size);
    if (this.#read + size > MAX_HEADER_BYTES) {
      const chunk = `a chunk '${printable(name)}' of ${size} bytes`;
      return this.#fail(`more than ${MAX_HEADER_BYTES} bytes before the audio (${chunk})`);
    }
    this.#skip = size + (size % 2);
    if (name === "fmt ") this.#beginBody("fmt", size, FMT_BYTES, EXTENSIBLE_BYTES);
    else if (name === "ds64" && this.#isWide) this.#beginBody("ds64", size, DS64_BYTES, DS64_BYTES);
    else this.#skipToNextChunk();
  }

  /** Begins a chunk of which the first `most` bytes are read, and at least `least` must be there. */
  #beginBody(part: "fmt" | "ds64", size: number, least: number, most: number): void {
    if (size < least) return this.#fail(`its ${part} chunk has ${size} bytes, at least ${least} are needed`);
    const bytes = Math.min(size, most);
    this.#skip -= bytes;
    this.#begin(part, bytes);
  }

  #finish(dataSize: number): void {
    if (this.#format === undefined) return this.#fail("its data chunk comes before its fmt chunk");
    const header = { format: this.#format, dataBytes: this.#dataBytes(dataSize), headerBytes: this.#read };
    this.#result = { status: "header", header, offset: 0 };
  }

  #dataBytes(size: number): number | undefined {
    if (this.#isWide && size === 0xffffffff && this.#wideDataSize !== undefined) {
      const wide = Number(this.#wideDataSize);
      return wide === 0 || !Number.isSafeInteger(wide) ? undefined : wide;
    }
    if (PLACEHOLDER_SIZES.has(size)) return undefined;
    // A writer that was cut off leaves 0. When the file announces chunks behind the data, there really is no audio.
    const more = this.#riffSize > this.#read - 8 && !PLACEHOLDER_SIZES.has(this.#riffSize);
    return size === 0 && !more ? undefined : size;
  }

  #fail(reason: string): void {
    this.#result = { status: "error", reason };
  }
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function printable(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, "?");
}
