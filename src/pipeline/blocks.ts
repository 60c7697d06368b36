import { ProtocolError } from "../protocol/errors.ts";
import type { PatternContext, PatternStart } from "./pattern.ts";

/** Settings of a pattern that cuts audio into blocks. */
export interface BlockSettings {
  readonly block_ms: number;
}

/**
 * Length of a block in samples. Throws ProtocolError when the start asks for voice activity detection, or when a block
 * is longer than the audio that a channel may hold.
 * @param pattern name of the pattern, which is also the section of its settings
 */
export function blockLength(
  pattern: string,
  start: PatternStart,
  { block_ms }: BlockSettings,
  { sampleRate, maxHoldMs }: PatternContext,
): number {
  if (start.vad !== undefined) {
    const message = `vad: the pattern ${pattern} does not detect speech; allowed: no vad`;
    throw new ProtocolError("invalid_request", message, { param: "vad" });
  }
  if (block_ms > maxHoldMs) {
    const message = `${pattern}.block_ms: found ${block_ms}; allowed: at most ${maxHoldMs}, which one channel may hold`;
    throw new ProtocolError("invalid_request", message);
  }
  return Math.max(1, Math.round((block_ms * sampleRate) / 1000));
}
