import * as v from "valibot";

import {
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  SAMPLE_FORMATS,
  type SampleFormat,
  type SampleLayout,
} from "../lib/sample-format.ts";
import { ProtocolError } from "./errors.ts";
import { flag, whole } from "./field.ts";

const LAYOUTS = Object.values(SAMPLE_FORMATS);
const DEPTHS = distinct(LAYOUTS.map(({ bit_depth }) => bit_depth)).sort((a, b) => a - b);
const ENCODINGS = distinct(LAYOUTS.map(({ encoding }) => encoding));

function distinct<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values)];
}

/** Schema of `format` in a start: interleaved little-endian audio of 1 to `maxChannels` channels. */
export function formatSchemaFor(maxChannels: number) {
  return v.strictObject(
    {
      channels: whole(1, maxChannels),
      sample_rate: whole(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
      bit_depth: v.picklist(DEPTHS, `one of ${DEPTHS.join(", ")}`),
      is_float: flag(),
      encoding: v.optional(v.picklist(ENCODINGS, `one of ${ENCODINGS.map((name) => `"${name}"`).join(", ")}`), "pcm"),
    },
    "an object with channels, sample_rate, bit_depth and is_float",
  );
}

export const formatSchema = formatSchemaFor(MAX_CHANNELS);

/** The audio of a stream as its start describes it, with the default `encoding` filled in. */
export type AudioFormat = v.InferOutput<typeof formatSchema>;

/** The name of the sample format. Throws `unsupported_format` when no format combines these three fields. */
export function sampleFormat(format: AudioFormat): SampleFormat {
  const name = SAMPLE_FORMAT_NAMES.find((name) => {
    const layout = SAMPLE_FORMATS[name];
    return isLike(format, layout) && layout.bit_depth === format.bit_depth;
  });
  if (name === undefined) throw contradiction(format);
  return name;
}

/** Bytes of one frame: one sample of every channel. */
export function frameBytes(format: AudioFormat): number {
  return SAMPLE_FORMATS[sampleFormat(format)].bytes * format.channels;
}

function isLike(format: AudioFormat, layout: SampleLayout): boolean {
  return layout.encoding === format.encoding && layout.is_float === format.is_float;
}

function contradiction(format: AudioFormat): ProtocolError {
  const { encoding, bit_depth, is_float } = format;
  const depths = DEPTHS.filter((depth) =>
    LAYOUTS.some((layout) => isLike(format, layout) && layout.bit_depth === depth),
  );
  if (depths.length === 0) {
    return new ProtocolError(
      "unsupported_format",
      `format.is_float: found ${is_float} with encoding "${encoding}"; allowed: ${!is_float}`,
      { param: "format.is_float" },
    );
  }
  const kind = encoding === "pcm" ? `is_float ${is_float}` : `encoding "${encoding}"`;
  return new ProtocolError(
    "unsupported_format",
    `format.bit_depth: found ${bit_depth} with ${kind}; allowed: ${alternatives(depths)}`,
    { param: "format.bit_depth" },
  );
}

/** "8", "32 or 64", "8, 16, 24 or 32". */
function alternatives(values: readonly number[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
