import * as v from "valibot";

/*
 * What a connection that watches calls gets beside events of its own, which are those of the native protocol. A message
 * belongs to a call by `session_id`; `call` is the name that the telephone system has given it.
 */

const place = { call: v.string(), session_id: v.string() };

/** Schema of the messages about calls. `event` is one of the native protocol. */
export const watchMessageSchema = v.variant("type", [
  /** The first message: what follows is about calls with this name, or about all (null). */
  v.strictObject({ type: v.literal("watching"), call: v.nullable(v.string()) }),
  v.strictObject({
    type: v.literal("call"),
    ...place,
    dialect: v.string(),
    parameters: v.record(v.string(), v.string()),
    /** It was open before it was watched. What was reported of it before is not repeated. */
    joined: v.boolean(),
  }),
  v.strictObject({ type: v.literal("call_event"), ...place, event: v.looseObject({ type: v.string() }) }),
  v.strictObject({ type: v.literal("call_ended"), ...place, reason: v.string() }),
]);
export type WatchMessage = v.InferOutput<typeof watchMessageSchema>;
