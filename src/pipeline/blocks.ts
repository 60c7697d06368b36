import * as v from "valibot";

import { ProtocolError } from "../protocol/errors.ts";
import type { PatternContext, PatternStart } from "./pattern.ts";
import { InvalidState, readState, samples } from "./saved-state.ts";

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

const savedSchema = v.strictObject({ position: samples, blockStart: samples });

/** Where a pattern that cuts audio into blocks is: the samples pushed, and the start of the block that is open. */
export type BlockPlace = v.InferOutput<typeof savedSchema>;

/** Returns the place in a saved state. Throws InvalidState. */
export function readPlace(saved: unknown, blockSamples: number): BlockPlace {
  const place = readState(savedSchema, saved);
  const open = place.position - place.blockStart;
  if (open < 0 || open >= blockSamples) throw new InvalidState("a saved block is not open at its position");
  return place;
}
