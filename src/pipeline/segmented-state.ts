import * as v from "valibot";

import { InvalidState, readState, samples } from "./saved-state.ts";

const levels = v.union([v.instance(Float32Array), v.instance(Float64Array)]);

const savedSchema = v.strictObject({
  position: samples,
  decided: samples,
  /** Infinity: no interims were asked for. */
  interimAt: v.union([samples, v.literal(Infinity)]),
  endpointer: v.strictObject({
    position: samples,
    speechStart: v.optional(samples),
    speechEnd: samples,
    speechSamples: samples,
    utteranceStart: v.optional(samples),
    utteranceEnd: samples,
    flushed: samples,
    levels,
  }),
  /** Undefined: nothing is looked for any more. */
  quiet: v.optional(v.instance(Float64Array)),
});

/** The state of a segmented channel. All windows of the samples that were pushed have been decided. */
export type SegmentedState = v.InferOutput<typeof savedSchema>;

/** Returns a saved state with its type. Throws InvalidState. @param window samples of a detector's window */
export function readSegmentedState(saved: unknown, window: number): SegmentedState {
  const state = readState(savedSchema, saved);
  const { position, decided, endpointer } = state;
  if (decided !== position || endpointer.position !== position || position % window !== 0) {
    throw new InvalidState("a saved state is not at the border of a window");
  }
  const { speechStart = 0, speechEnd, utteranceStart = 0, utteranceEnd, flushed } = endpointer;
  const latest = Math.max(speechStart, speechEnd, utteranceStart, utteranceEnd, flushed);
  if (latest > position) throw new InvalidState("a saved state is ahead of its position");
  return state;
}
