import { SAMPLE_FORMATS, type SampleLayout } from "../lib/sample-format.ts";
import type { AudioFormat } from "../protocol/format.ts";

/** A header longer than this (chunks before the audio included) is refused. */
export const MAX_HEADER_BYTES = 1024 * 1024;

export interface WavHeader {
  readonly format: AudioFormat;
  /** Bytes of audio that the data chunk promises; undefined when its writer did not know (a pipe). */
  readonly dataBytes: number | undefined;
  /** Bytes from the start of the file to the first byte of audio. */
  readonly headerBytes: number;
}

export type WavResult =
  /** Not yet: the header goes on in the next bytes. */
  | { readonly status: "more" }
  /** `bytes[offset]` of the bytes just pushed is the first byte of audio (or one past their end). */
  | { readonly status: "header"; readonly header: WavHeader; readonly offset: number }
  /** These bytes are no WAV header that can be read; the reason is fit for a person. */
  | { readonly status: "error"; readonly reason: string };

const MORE: WavResult = { status: "more" };

const FORMAT_EXTENSIBLE = 0xfffe;

/** Format codes of the fmt chunk (mmreg.h) that can be read, and the samples they stand for. */
const CODECS: Readonly<Record<number, Pick<SampleLayout, "encoding" | "is_float">>> = {
  0x0001: { encoding: "pcm", is_float: false },
  0x0003: { encoding: "pcm", is_float: true },
  0x0006: { encoding: "alaw", is_float: false },
  0x0007: { encoding: "mulaw", is_float: false },
};

/** The rest of every KSDATAFORMAT_SUBTYPE that wraps a 16-bit format code (mmreg.h). */
const SUBFORMAT_TAIL = "000000001000800000aa00389b71";

/** Names of common format codes that cannot be read, for the message. */
const OTHER_CODECS: Readonly<Record<number, string>> = {
  0x0002: "Microsoft ADPCM",
  0x0011: "IMA ADPCM",
  0x0031: "GSM 6.10",
  0x0050: "MPEG",
  0x0055: "MP3",
  0x00ff: "AAC",
};

/**
 * What writers that cannot seek back leave as the size of their data: ffmpeg 0xFFFFFFFF, SoX 0x7FFFF000, ALSA's arecord
 * 0x80000000 or 0x7FFFFFFF.
 */
const PLACEHOLDER_SIZES = new Set([0xffffffff, 0x7ffff000, 0x7fffffff, 0x80000000]);

const RIFF_BYTES = 12;
const CHUNK_BYTES = 8;
const FMT_BYTES = 16;
const EXTENSIBLE_BYTES = 40;
const DS64_BYTES = 24;

type State = "riff" | "chunk" | "fmt" | "ds64" | "skip";

/**
 * Reads the header of a WAV file (RIFF, or RF64 and BW64 for more than 4 GiB) as its bytes arrive, cut anywhere. Keeps at
 * most 40 bytes; stops at the first byte of audio.
 */
export class WavHeaderReader {
  #state: State = "riff";
  readonly #kept = new Uint8Array(EXTENSIBLE_BYTES);
  readonly #view = new DataView(this.#kept.buffer);
  #have = 0;
  /** Bytes that the present state wants in #kept. */
  #need = RIFF_BYTES;
  /** Bytes of the present chunk, padding included, that are still to be passed over. */
  #skip = 0;
  #read = 0;
  #riffSize = 0;
  #wide = false;
  #wideDataSize: bigint | undefined;
  #format: AudioFormat | undefined;
  #result: WavResult = MORE;

  /** Gives the next bytes of the file. Once a header or an error has been found, the answer stays, with offset 0. */
  push(bytes: Uint8Array): WavResult {
    let at = 0;
    while (this.#result.status === "more" && at < bytes.length) {
      const wanted = this.#state === "skip" ? this.#skip : this.#need - this.#have;
      const taken = Math.min(wanted, bytes.length - at);
      if (this.#state === "skip") this.#skip -= taken;
      else {
        this.#kept.set(bytes.subarray(at, at + taken), this.#have);
        this.#have += taken;
      }
      at += taken;
      this.#read += taken;
      if (this.#state === "riff") this.#checkRiff();
      if (taken === wanted && this.#result.status === "more") this.#advance();
    }
    return this.#answer(at);
  }

  #answer(offset: number): WavResult {
    const result = this.#result;
    return result.status === "header" ? { ...result, offset } : result;
  }

  /** Refuses at the first byte that differs, so that what is not WAV is known at once. */
  #checkRiff(): void {
    const kept = ascii(this.#kept, 0, this.#have);
    const magic = kept.slice(0, 4);
    if (!["RIFF", "RF64", "BW64"].some((name) => name.startsWith(magic))) {
      this.#fail(magic === "RIFX" ? "big-endian WAV (RIFX) is not supported" : "it does not begin with RIFF");
    } else if (!"WAVE".startsWith(kept.slice(8))) {
      this.#fail("a RIFF file, but not of WAVE audio");
    }
  }

  #advance(): void {
    switch (this.#state) {
      case "riff":
        this.#wide = ascii(this.#kept, 0, 4) !== "RIFF";
        this.#riffSize = this.#view.getUint32(4, true);
        this.#expect("chunk", CHUNK_BYTES);
        break;
      case "chunk":
        this.#chunk(ascii(this.#kept, 0, 4), this.#view.getUint32(4, true));
        break;
      case "fmt":
        this.#fmt();
        this.#expect("skip", 0);
        break;
      case "ds64":
        this.#wideDataSize = this.#view.getBigUint64(8, true);
        this.#expect("skip", 0);
        break;
      case "skip":
        this.#expect("chunk", CHUNK_BYTES);
        break;
    }
  }

  #expect(state: State, bytes: number): void {
    this.#state = state === "skip" && this.#skip === 0 ? "chunk" : state;
    this.#need = this.#state === "chunk" ? CHUNK_BYTES : bytes;
    this.#have = 0;
  }

  #chunk(name: string, size: number): void {
    if (name === "data") return this.#data(size);
    if (this.#read + size > MAX_HEADER_BYTES) {
      this.#fail(
        `more than ${MAX_HEADER_BYTES} bytes before the audio (a chunk '${printable(name)}' of ${size} bytes)`,
      );
      return;
    }
    this.#skip = size + (size % 2);
    if (name === "fmt ") {
      if (size < FMT_BYTES) return this.#fail(`its fmt chunk has ${size} bytes, at least ${FMT_BYTES} are needed`);
      const kept = Math.min(size, EXTENSIBLE_BYTES);
      this.#skip -= kept;
      this.#expect("fmt", kept);
    } else if (name === "ds64" && this.#wide) {
      if (size < DS64_BYTES) return this.#fail(`its ds64 chunk has ${size} bytes, at least ${DS64_BYTES} are needed`);
      this.#skip -= DS64_BYTES;
      this.#expect("ds64", DS64_BYTES);
    } else {
      this.#expect("skip", 0);
    }
  }

  #data(size: number): void {
    if (this.#format === undefined) return this.#fail("its data chunk comes before its fmt chunk");
    const header = { format: this.#format, dataBytes: this.#dataBytes(size), headerBytes: this.#read };
    this.#result = { status: "header", header, offset: 0 };
  }

  #dataBytes(size: number): number | undefined {
    if (this.#wide && size === 0xffffffff && this.#wideDataSize !== undefined) {
      const wide = Number(this.#wideDataSize);
      return wide === 0 || !Number.isSafeInteger(wide) ? undefined : wide;
    }
    if (PLACEHOLDER_SIZES.has(size)) return undefined;
    // A writer that was cut off leaves 0. Where the file claims more chunks to follow, there really is no audio.
    const more = this.#riffSize > this.#read - 8 && !PLACEHOLDER_SIZES.has(this.#riffSize);
    return size === 0 && !more ? undefined : size;
  }

  #fmt(): void {
    const view = this.#view;
    let code = view.getUint16(0, true);
    const channels = view.getUint16(2, true);
    const sampleRate = view.getUint32(4, true);
    const frameBytes = view.getUint16(12, true);
    const bits = view.getUint16(14, true);
    if (code === FORMAT_EXTENSIBLE) {
      if (this.#have < EXTENSIBLE_BYTES) return this.#fail("its extensible fmt chunk is too short for a sub-format");
      const tail = this.#kept.subarray(26, EXTENSIBLE_BYTES);
      if (tail.toHex() !== SUBFORMAT_TAIL) return this.#fail("its extensible sub-format is not known");
      code = view.getUint16(24, true);
    }
    if (channels === 0) return this.#fail("its header says 0 channels");
    if (sampleRate === 0) return this.#fail("its header says 0 samples a second");
    const container = (frameBytes / channels) * 8;
    const format = sampleFields(code, bits, container);
    if (typeof format === "string") return this.#fail(format);
    this.#format = { channels, sample_rate: sampleRate, ...format };
  }

  #fail(reason: string): void {
    this.#result = { status: "error", reason };
  }
}

type SampleFields = Pick<AudioFormat, "bit_depth" | "is_float" | "encoding">;

/**
 * The sample format of `bits` significant bits in containers of `container` bits, or why it cannot be read. WAV aligns odd
 * sizes (12, 20) to the top of their bytes, so samples are read by the size of their container.
 */
function sampleFields(code: number, bits: number, container: number): SampleFields | string {
  const codec = CODECS[code];
  if (codec === undefined) {
    const name = OTHER_CODECS[code] ?? "an unknown codec";
    const hex = code.toString(16).padStart(4, "0");
    return `its audio is coded as ${name} (0x${hex}); PCM, float, A-law and mu-law are supported`;
  }
  const layouts = Object.values(SAMPLE_FORMATS).filter(
    ({ encoding, is_float }) => encoding === codec.encoding && is_float === codec.is_float,
  );
  const layout = layouts.find(({ bit_depth }) => bit_depth === container);
  if (layout === undefined || bits === 0 || Math.ceil(bits / 8) * 8 !== container) {
    const kind = codec.encoding !== "pcm" ? codec.encoding : codec.is_float ? "float" : "integer";
    const depths = layouts.map(({ bit_depth }) => bit_depth).join(", ");
    return `its ${kind} samples have ${bits} bits in ${container / 8} bytes; ${depths} bits are supported`;
  }
  const { bit_depth, is_float, encoding } = layout;
  return { bit_depth, is_float, encoding };
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

function printable(name: string): string {
  return name.replaceAll(/[^\x20-\x7e]/g, "?");
}
