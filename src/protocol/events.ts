import * as v from "valibot";

import { describeValue, excerpt } from "../lib/excerpt.ts";
import { ERRORS } from "./errors.ts";
import { amount, count, flag, text, time } from "./field.ts";
import { formatSchema } from "./format.ts";
import { WARNINGS } from "./warnings.ts";

/*
 * Events: the text messages of the server. Objects are loose where a model's output adds fields. Clients ignore fields
 * and events that they do not know.
 */

const channel = count;
const rate = count;

/** Fields of `segment` and `data` that a model's output must not have, because the protocol uses them. */
export const RESERVED_FIELDS: readonly string[] = [
  "type",
  "channel",
  "start_time",
  "end_time",
  "is_final",
  "timing",
  "audio",
];

const limitsSchema = v.object({
  max_message_bytes: count(),
  max_channels: count(),
  idle_timeout_ms: count(),
  session_ms: count(),
});

/** The settings in effect. Requests check their ranges. */
const effectiveVadSchema = v.object({
  threshold_db: amount(),
  floor_dbfs: v.optional(amount()),
  min_speech_ms: amount(),
  min_silence_ms: amount(),
  pre_roll_ms: amount(),
  post_roll_ms: amount(),
  max_utterance_ms: amount(),
});

const startedSchema = v.object({
  type: v.literal("started"),
  session_id: text(),
  stream: count(),
  trace_id: text(),
  format: v.object(formatSchema.entries),
  model: text(),
  sample_rate: rate(),
  vad: v.optional(effectiveVadSchema),
  interim_interval_ms: v.optional(amount()),
  limits: limitsSchema,
  features: v.optional(v.array(text(), "an array of strings")),
});
export type Started = v.InferOutput<typeof startedSchema>;

const activeSchema = v.object({
  type: v.literal("active"),
  time: time(),
  channel: channel(),
});

const inactiveSchema = v.object({
  type: v.literal("inactive"),
  time: time(),
  channel: channel(),
});
export type Inactive = v.InferOutput<typeof inactiveSchema>;

const timingSchema = v.object({
  queue_ms: amount(),
  infer_ms: amount(),
  lag_ms: amount(),
});

/** The binary message that follows the event: mono f32, little-endian. */
const audioSchema = v.object({ bytes: count(), sample_rate: rate() });

const segmentSchema = v.looseObject({
  type: v.literal("segment"),
  start_time: time(),
  end_time: time(),
  is_final: v.optional(flag()),
  channel: channel(),
  timing: v.optional(timingSchema),
  audio: v.optional(audioSchema),
});
export type Segment = v.InferOutput<typeof segmentSchema>;

const dataSchema = v.looseObject({
  type: v.literal("data"),
  channel: channel(),
  audio: v.optional(audioSchema),
});
export type Data = v.InferOutput<typeof dataSchema>;

const flushedSchema = v.object({
  type: v.literal("flushed"),
  time: time(),
  channel: channel(),
});

const checkpointSchema = v.object({
  type: v.literal("checkpoint"),
  token: text(),
  position: count(),
});

/** Account of one channel's samples, at the model's rate; `received` counts frames at `received_rate`. */
const ledgerSchema = v.object({
  channel: channel(),
  received: count(),
  received_rate: rate(),
  decoded: count(),
  inferred: count(),
  silent: count(),
  failed: count(),
  segments: count(),
  interims: count(),
  errors: count(),
});
export type ChannelLedger = v.InferOutput<typeof ledgerSchema>;

export const STOP_REASONS = ["stop", "restart", "drain", "error", "limit"] as const;
export type StopReason = (typeof STOP_REASONS)[number];

const stoppedSchema = v.object({
  type: v.literal("stopped"),
  reason: v.picklist(STOP_REASONS, STOP_REASONS.join(", ")),
  channels: v.array(ledgerSchema, "an array of ledgers"),
  trailing_bytes: count(),
  skipped_bytes: count(),
});
export type Stopped = v.InferOutput<typeof stoppedSchema>;

export const errorSchema = v.object({
  type: v.literal("error"),
  code: v.pipe(text(), v.examples(Object.keys(ERRORS))),
  message: text(),
  fatal: flag(),
  retryable: v.optional(flag()),
  retry_after_ms: v.optional(count()),
  channel: v.optional(channel()),
  start_time: v.optional(time()),
  end_time: v.optional(time()),
  param: v.optional(text()),
});
export type ErrorEvent = v.InferOutput<typeof errorSchema>;

const warningSchema = v.object({
  type: v.literal("warning"),
  code: v.pipe(text(), v.examples(Object.keys(WARNINGS))),
  message: text(),
  channel: v.optional(channel()),
  deadline_ms: v.optional(count()),
});
export type Warning = v.InferOutput<typeof warningSchema>;

/** Schemas of the events by the value of `type`. */
export const EVENTS = {
  started: startedSchema,
  active: activeSchema,
  inactive: inactiveSchema,
  segment: segmentSchema,
  data: dataSchema,
  flushed: flushedSchema,
  checkpoint: checkpointSchema,
  stopped: stoppedSchema,
  error: errorSchema,
  warning: warningSchema,
} as const;

/** Titles of the events in the API contract. */
export const EVENT_TITLES: Readonly<Record<keyof typeof EVENTS, string>> = {
  started: "The start was accepted",
  active: "Speech began",
  inactive: "Speech ended",
  segment: "A result with a start and an end time",
  data: "A result without times",
  flushed: "Everything before a flush has been answered",
  checkpoint: "Everything before a position has been answered; the stream can go on from there at another connection",
  stopped: "The stream has ended; carries its ledger",
  error: "A request or a span failed",
  warning: "Something is suspicious but accepted",
};

export type ServerEvent = v.InferOutput<(typeof EVENTS)[keyof typeof EVENTS]>;

/** An event of a pipeline, which does not know its channel. */
export type ChannelEvent = WithoutChannel<Extract<ServerEvent, { channel: number }> | ErrorEvent | Warning>;

// Omit collapses types that have an index signature, so keys are mapped one by one.
type WithoutChannel<Event> = Event extends unknown
  ? { [Key in keyof Event as Key extends "channel" ? never : Key]: Event[Key] }
  : never;

/** A message is not an event of this protocol. */
export class EventError extends Error {
  override readonly name = "EventError";
}

/**
 * Parses a text message of a server. Known fields are checked, other fields are kept. An event of an unknown type is
 * returned as it is, so a `switch` over the type needs a `default`. Throws EventError for any other message.
 */
export function parseEvent(message: string): ServerEvent {
  let event: unknown;
  try {
    event = JSON.parse(message);
  } catch {
    throw new EventError(`found ${describeValue(message)}; allowed: one JSON object`);
  }
  if (!v.is(v.looseObject({ type: v.string() }), event)) {
    throw new EventError(`found ${describeValue(event)}; allowed: an object with a string "type"`);
  }
  const schema = isKnown(event.type) ? EVENTS[event.type] : undefined;
  if (schema === undefined) return event as unknown as ServerEvent;
  const result = v.safeParse<v.GenericSchema<unknown, ServerEvent>>(schema, event);
  if (result.success) return event as unknown as ServerEvent;
  const [issue] = result.issues;
  const field = excerpt(v.getDotPath(issue) ?? "");
  throw new EventError(`${event.type}.${field}: found ${describeValue(issue.input)}; allowed: ${issue.message}`);
}

function isKnown(type: string): type is keyof typeof EVENTS {
  return Object.hasOwn(EVENTS, type);
}
