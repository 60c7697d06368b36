import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";

const S16 = { channels: 1, bit_depth: 16, is_float: false, encoding: "pcm" } as const;
const G711 = { channels: 1, bit_depth: 8, is_float: false, sample_rate: 8_000 } as const;

/** Formats of a stream by the names that Asterisk has for its codecs. */
const FORMATS: Readonly<Record<string, object>> = {
  ulaw: { ...G711, encoding: "mulaw" },
  alaw: { ...G711, encoding: "alaw" },
  slin: { ...S16, sample_rate: 8_000 },
  slin12: { ...S16, sample_rate: 12_000 },
  slin16: { ...S16, sample_rate: 16_000 },
  slin24: { ...S16, sample_rate: 24_000 },
  slin32: { ...S16, sample_rate: 32_000 },
  slin44: { ...S16, sample_rate: 44_100 },
  slin48: { ...S16, sample_rate: 48_000 },
  slin96: { ...S16, sample_rate: 96_000 },
  slin192: { ...S16, sample_rate: 192_000 },
};

/** Returns the format of a codec of Asterisk; an error: it is another one. */
export function formatOf(name: unknown): object | ProtocolError {
  const format = typeof name === "string" && Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (format !== undefined) return format;
  const message = `format: found ${describeValue(name)}; allowed: ${Object.keys(FORMATS).join(", ")}`;
  return new ProtocolError("unsupported_format", message, { param: "format" });
}
