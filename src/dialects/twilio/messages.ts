import * as v from "valibot";

/*
 * The JSON messages of Twilio Media Streams, which all come from Twilio. Fields that are not known are ignored, and so
 * are events: a later version of the protocol may have more.
 */

const text = v.pipe(v.string("a text"), v.minLength(1, "a text that is not empty"));

const startSchema = v.looseObject({
  event: v.literal("start"),
  streamSid: v.optional(text),
  start: v.looseObject({
    callSid: v.optional(text),
    streamSid: v.optional(text),
    tracks: v.optional(v.array(v.string("names of tracks"), "a list of tracks")),
    mediaFormat: v.looseObject({
      encoding: v.string("the name of an encoding"),
      // Messages of Twilio have all other numbers as texts.
      sampleRate: v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,6}$/), v.transform(Number))], "a rate in Hz"),
      channels: v.optional(v.literal(1, "1, since a message has one track"), 1),
    }),
    customParameters: v.optional(v.record(v.string(), v.unknown(), "an object of texts")),
  }),
});

const mediaSchema = v.looseObject({
  event: v.literal("media"),
  media: v.looseObject({ track: v.optional(v.string("the name of a track")), payload: v.string("audio in base64") }),
});

const stopSchema = v.looseObject({ event: v.literal("stop") });

/** Schemas of the messages that have an effect. */
export const twilioMessageSchema = v.variant("event", [startSchema, mediaSchema, stopSchema]);
export type TwilioMessage = v.InferOutput<typeof twilioMessageSchema>;
export type TwilioStart = v.InferOutput<typeof startSchema>;

/** Returns true for an event that has an effect. */
export function isKnownEvent(event: unknown): boolean {
  return event === "start" || event === "media" || event === "stop";
}
