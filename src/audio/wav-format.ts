import { SAMPLE_FORMATS, type SampleLayout } from "../lib/sample-format.ts";
import type { AudioFormat } from "../protocol/format.ts";

/** Bytes of a plain `fmt ` chunk, and of one in the extensible form. More bytes are not needed. */
export const FMT_BYTES = 16;
export const EXTENSIBLE_BYTES = 40;

/** Why a WAV file cannot be read. */
export interface WavRefusal {
  /** `field: found X; allowed: Y`, where the field has its offset in the file. */
  readonly reason: string;
  /** True: the header is sound, but the samples are of a kind that is not read here. Another program may read them. */
  readonly foreign: boolean;
}

const LAYOUTS = Object.values(SAMPLE_FORMATS);
const CODE_EXTENSIBLE = 0xfffe;

/** How samples of a format code are stored. */
interface Codec {
  readonly encoding: SampleLayout["encoding"];
  readonly is_float: boolean;
  readonly name: string;
  /** Bits of the largest sample. */
  readonly maxBits: number;
}

/** Format codes that can be read (mmreg.h). */
const CODECS: Readonly<Record<number, Codec>> = {
  0x0001: { encoding: "pcm", is_float: false, name: "integer", maxBits: 32 },
  0x0003: { encoding: "pcm", is_float: true, name: "float", maxBits: 64 },
  0x0006: { encoding: "alaw", is_float: false, name: "A-law", maxBits: 8 },
  0x0007: { encoding: "mulaw", is_float: false, name: "mu-law", maxBits: 8 },
};

/** Names of common format codes that cannot be read, for the message. */
const OTHER_CODECS: Readonly<Record<number, string>> = {
  0x0002: "Microsoft ADPCM",
  0x0010: "OKI ADPCM",
  0x0011: "IMA ADPCM",
  0x0022: "TrueSpeech",
  0x0031: "GSM 6.10",
  0x0045: "G.726 ADPCM",
  0x0050: "MPEG",
  0x0055: "MP3",
  0x00ff: "AAC",
  0x0161: "Windows Media Audio",
  0x2000: "AC-3",
  0xf1ac: "FLAC",
};

/**
 * The rest of a sub-format, behind its 16-bit format code: KSDATAFORMAT_SUBTYPE of mmreg.h, and that of ambisonic
 * recordings (AMB files).
 */
const SUBFORMAT_TAILS = ["000000001000800000aa00389b71", "00002107d3118644c8c1ca000000"];

/**
 * Reads the body of a `fmt ` chunk. What other programs write and read is read, too: the number of bits gives the size
 * of a sample when the block align contradicts it, and A-law and mu-law have one byte whatever the header says.
 * @param body FMT_BYTES to EXTENSIBLE_BYTES bytes
 * @param offset of the body in the file, for messages
 */
export function wavFormat(body: Uint8Array, offset: number): AudioFormat | WavRefusal {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const place = (name: string, at: number, bytes: number) =>
    `${name} (bytes ${offset + at}-${offset + at + bytes - 1} of the WAV header)`;
  let code = view.getUint16(0, true);
  let codeAt = 0;
  if (code === CODE_EXTENSIBLE) {
    if (body.length < EXTENSIBLE_BYTES) {
      return damaged(`${place("format code", 0, 2)}: found extensible in a fmt chunk of ${body.length} bytes`, "40");
    }
    const tail = hex(body.subarray(26, EXTENSIBLE_BYTES));
    if (!SUBFORMAT_TAILS.includes(tail)) {
      const guid = hex(body.subarray(24, EXTENSIBLE_BYTES));
      return { reason: `${place("sub-format", 24, 16)}: found ${guid}; allowed: ${codecNames()}`, foreign: true };
    }
    codeAt = 24;
    code = view.getUint16(codeAt, true);
  }
  const codec = CODECS[code];
  if (codec === undefined) {
    const hex = `0x${code.toString(16).padStart(4, "0")}`;
    const found = OTHER_CODECS[code] === undefined ? `the unknown code ${hex}` : `${OTHER_CODECS[code]} (${hex})`;
    return { reason: `${place("format code", codeAt, 2)}: found ${found}; allowed: ${codecNames()}`, foreign: true };
  }
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  if (channels === 0) return damaged(`${place("channels", 2, 2)}: found 0`, "1 or more");
  if (sampleRate === 0) return damaged(`${place("sample rate", 4, 4)}: found 0`, "1 or more");
  const bits = view.getUint16(14, true);
  const bytes = sampleBytes(codec, bits, view.getUint16(12, true) / channels);
  const layout = LAYOUTS.find((layout) => isOf(layout, codec) && layout.bytes === bytes);
  if (layout === undefined) {
    const allowed = codec.is_float ? "32, 64" : `1 to ${codec.maxBits}`;
    const reason = `${place("bits per sample", 14, 2)}: found ${bits} for ${codec.name} samples; allowed: ${allowed}`;
    return { reason, foreign: bits > 0 };
  }
  const { bit_depth, is_float, encoding } = layout;
  return { channels, sample_rate: sampleRate, bit_depth, is_float, encoding };
}

/**
 * Returns the bits of a sample that are not padding.
 * @param body of a `fmt ` chunk that `wavFormat` reads
 */
export function significantBits(body: Uint8Array): number {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const bits = view.getUint16(14, true);
  return (view.getUint16(0, true) === CODE_EXTENSIBLE && view.getUint16(18, true)) || bits;
}

/**
 * Returns the bytes of one sample, which may have no format. WAV puts samples of odd sizes (12 or 20 bits, 24 in 4 bytes)
 * at the top of their bytes, so that only the bytes matter.
 * @param declared bytes of one sample by the block align
 */
function sampleBytes(codec: Codec, bits: number, declared: number): number {
  if (codec.encoding !== "pcm") return 1;
  if (bits === 0) return declared;
  if (codec.is_float) return bits / 8;
  const needed = Math.ceil(bits / 8);
  // Only 24 bits are known to come in a larger size; a larger block align is a mistake otherwise.
  return needed === 3 && declared === 4 ? 4 : needed;
}

function isOf({ encoding, is_float }: SampleLayout, codec: Codec): boolean {
  return encoding === codec.encoding && is_float === codec.is_float;
}

function damaged(found: string, allowed: string): WavRefusal {
  return { reason: `${found}; allowed: ${allowed}`, foreign: false };
}

function codecNames(): string {
  return Object.values(CODECS)
    .map(({ name }) => name)
    .join(", ");
}

/** `toHex`, which Node.js 20 does not have: clients read WAV files, too. */
function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
