import { WavHeaderReader } from "../../audio/wav-header.ts";

/** Rates at which every browser can decode, Hz. */
const DECODABLE = [8_000, 96_000] as const;

/** Bytes of a header before the audio, at most. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Returns the sample rate in a WAV header, Hz; undefined: there is none, or the browser could not decode at it. */
export function readWavRate(bytes: Uint8Array): number | undefined {
  const result = new WavHeaderReader(MAX_HEADER_BYTES).push(bytes);
  const rate = result.status === "header" ? result.header.format.sample_rate : undefined;
  return rate !== undefined && rate >= DECODABLE[0] && rate <= DECODABLE[1] ? rate : undefined;
}
