import * as v from "valibot";

import { ProtocolError } from "./errors.ts";
import { flag, whole } from "./field.ts";

export const MIN_SAMPLE_RATE = 4_000;
export const MAX_SAMPLE_RATE = 384_000;
/** The most channels that a server can be configured to take. */
export const MAX_CHANNELS = 256;

const DEPTHS = [8, 16, 24, 32, 64] as const;
const ENCODINGS = ["pcm", "mulaw", "alaw"] as const;

/** Interleaved little-endian audio of at most `maxChannels` channels, as a client describes it. */
export function formatSchemaFor(maxChannels: number) {
  return v.strictObject(
    {
      channels: v.pipe(whole(1, maxChannels), v.description("interleaved; the server's maximum is in `started`")),
      sample_rate: v.pipe(whole(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE), v.description("Hz")),
      bit_depth: v.pipe(v.picklist(DEPTHS, "one of 8, 16, 24, 32, 64"), v.description("bits of a sample")),
      is_float: flag(),
      encoding: v.optional(v.picklist(ENCODINGS, 'one of "pcm", "mulaw", "alaw"'), "pcm"),
    },
    "an object with channels, sample_rate, bit_depth and is_float",
  );
}

export const formatSchema = formatSchemaFor(MAX_CHANNELS);

/** A format with its `encoding` always said. `sampleFormat` tells whether its parts go together. */
export type AudioFormat = v.InferOutput<typeof formatSchema>;

/** How one sample is written; the names are those of the native library's wrappers. */
export type SampleFormat = "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "mulaw" | "alaw";

/** Bytes of one sample of each kind. */
const BYTES: Record<SampleFormat, number> = {
  u8: 1,
  s16: 2,
  s24: 3,
  s32: 4,
  f32: 4,
  f64: 8,
  mulaw: 1,
  alaw: 1,
};

const INTEGERS: Partial<Record<number, SampleFormat>> = {
  8: "u8",
  16: "s16",
  24: "s24",
  32: "s32",
};
const FLOATS: Partial<Record<number, SampleFormat>> = { 32: "f32", 64: "f64" };

function encodingOf(format: AudioFormat): SampleFormat | undefined {
  if (format.encoding !== "pcm") {
    const eightBit = format.bit_depth === 8 && !format.is_float;
    return eightBit ? format.encoding : undefined;
  }
  return (format.is_float ? FLOATS : INTEGERS)[format.bit_depth];
}

/** How one sample of `format` is written. Throws `unsupported_format` when its parts do not go together. */
export function sampleFormat(format: AudioFormat): SampleFormat {
  const encoding = encodingOf(format);
  if (encoding === undefined) throw contradiction(format);
  return encoding;
}

/** Bytes of one frame: one sample of every channel. */
export function frameBytes(format: AudioFormat): number {
  return BYTES[sampleFormat(format)] * format.channels;
}

function contradiction(format: AudioFormat): ProtocolError {
  const { encoding, bit_depth, is_float } = format;
  if (encoding !== "pcm" && is_float) {
    return new ProtocolError(
      "unsupported_format",
      `format.is_float: found true with encoding "${encoding}"; allowed: false`,
      { param: "format.is_float" },
    );
  }
  const [found, allowed] =
    encoding === "pcm"
      ? [`is_float ${is_float}`, is_float ? "32 or 64" : "8, 16, 24 or 32"]
      : [`encoding "${encoding}"`, "8"];
  return new ProtocolError(
    "unsupported_format",
    `format.bit_depth: found ${bit_depth} with ${found}; allowed: ${allowed}`,
    { param: "format.bit_depth" },
  );
}
