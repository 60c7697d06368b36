import * as v from "valibot";

import { samples } from "../../pipeline/saved-state.ts";

/** Most flushes between the state that a checkpoint has and the checkpoint itself. With more, none is made. */
export const MAX_FLUSHES = 256;

const bits = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffff));
const bytes = v.instance(Uint8Array);

const tallySchema = v.strictObject({
  inferred: samples,
  silent: samples,
  failed: samples,
  segments: samples,
  interims: samples,
  errors: samples,
});

const channelSchema = v.strictObject({
  /** Up to where the channel is answered, and the account of that. */
  answered: v.strictObject({ position: samples, tally: tallySchema, finals: v.optional(samples, 0) }),
  /** Speech events up to the state, and those that have been sent. */
  made: samples,
  sent: samples,
  pipeline: v.record(v.string(), v.unknown()),
  /** The state of the model as of the last answer. `lost`: there is one, which cannot be saved. */
  model: v.optional(
    v.variant("kind", [
      v.strictObject({ kind: v.literal("value"), value: v.unknown() }),
      v.strictObject({ kind: v.literal("lost") }),
    ]),
  ),
});

const schema = v.strictObject({
  /** Position of the state, in samples per channel at the model's rate, and in frames of the client. */
  position: samples,
  frames: samples,
  /** State of the decoder and the detectors. */
  decoder: bytes,
  /** Warnings that have been sent: bits of the decoder, and `too_quiet`. */
  reported: v.strictObject({ observed: bits, flags: bits, suspicion: v.boolean() }),
  /** Positions behind the state at which the open utterances or blocks were ended. */
  flushes: v.pipe(v.array(samples), v.maxLength(MAX_FLUSHES)),
  channels: v.array(channelSchema),
});

/**
 * A stream at a checkpoint. It has the state at a position before which everything is answered; what it says about
 * answers, events and warnings is as of the checkpoint itself, which is later.
 */
export type ResumeState = v.InferOutput<typeof schema>;
export type ChannelState = v.InferOutput<typeof channelSchema>;

/** Returns a state that this program has saved; undefined: the value is none. */
export function readResumeState(value: unknown, channels: number): ResumeState | undefined {
  const result = v.safeParse(schema, value);
  if (!result.success || result.output.channels.length !== channels) return undefined;
  const { position, flushes } = result.output;
  const ordered = flushes.every((at, index) => at >= (flushes[index - 1] ?? position));
  return ordered ? result.output : undefined;
}
