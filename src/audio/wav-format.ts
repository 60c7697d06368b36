import { SAMPLE_FORMATS, type SampleLayout } from "../lib/sample-format.ts";
import type { AudioFormat } from "../protocol/format.ts";

/** Bytes of a plain `fmt ` chunk, and of one in the extensible form. More bytes are not needed. */
export const FMT_BYTES = 16;
export const EXTENSIBLE_BYTES = 40;

const CODE_EXTENSIBLE = 0xfffe;

/** Format codes that can be read (mmreg.h), and the samples they stand for. */
const CODECS: Readonly<Record<number, Pick<SampleLayout, "encoding" | "is_float">>> = {
  0x0001: { encoding: "pcm", is_float: false },
  0x0003: { encoding: "pcm", is_float: true },
  0x0006: { encoding: "alaw", is_float: false },
  0x0007: { encoding: "mulaw", is_float: false },
};

/** Names of common format codes that cannot be read, for the message. */
const OTHER_CODECS: Readonly<Record<number, string>> = {
  0x0002: "Microsoft ADPCM",
  0x0011: "IMA ADPCM",
  0x0031: "GSM 6.10",
  0x0050: "MPEG",
  0x0055: "MP3",
  0x00ff: "AAC",
};

/** The rest of every KSDATAFORMAT_SUBTYPE that wraps a 16-bit format code (mmreg.h). */
const SUBFORMAT_TAIL = "000000001000800000aa00389b71";

/**
 * Reads the body of a `fmt ` chunk.
 * @param body FMT_BYTES to EXTENSIBLE_BYTES bytes
 * @returns the format, or a clause for an error message when it cannot be read
 */
export function wavFormat(body: Uint8Array): AudioFormat | string {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let code = view.getUint16(0, true);
  const channels = view.getUint16(2, true);
  const sampleRate = view.getUint32(4, true);
  const frameBytes = view.getUint16(12, true);
  const bits = view.getUint16(14, true);
  if (code === CODE_EXTENSIBLE) {
    if (body.length < EXTENSIBLE_BYTES) return "its extensible fmt chunk is too short for a sub-format";
    if (body.subarray(26, EXTENSIBLE_BYTES).toHex() !== SUBFORMAT_TAIL) return "its extensible sub-format is not known";
    code = view.getUint16(24, true);
  }
  if (channels === 0) return "its header has 0 channels";
  if (sampleRate === 0) return "its header has a sample rate of 0";
  const samples = sampleFields(code, bits, (frameBytes / channels) * 8);
  return typeof samples === "string" ? samples : { channels, sample_rate: sampleRate, ...samples };
}

type SampleFields = Pick<AudioFormat, "bit_depth" | "is_float" | "encoding">;

/**
 * Finds the sample format of `bits` significant bits in containers of `container` bits. WAV aligns odd sizes (12, 20)
 * to the top of their bytes, so the size of the container decides.
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
    const depths = layouts.map(({ bit_depth }) => bit_depth).sort((a, b) => a - b);
    return `its ${kind} samples have ${bits} bits in ${container / 8} bytes; ${depths.join(", ")} bits are supported`;
  }
  const { bit_depth, is_float, encoding } = layout;
  return { bit_depth, is_float, encoding };
}
