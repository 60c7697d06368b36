import * as v from "valibot";

import { describeValue, excerpt } from "../lib/excerpt.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { MAX_CHANNELS } from "../lib/sample-format.ts";
import { ProtocolError } from "./errors.ts";
import { checkFields } from "./field-checks.ts";
import { flag, text, whole, zeroOr } from "./field.ts";
import { formatSchemaFor, sampleFormat } from "./format.ts";
import { messageFields, parseJson } from "./message-fields.ts";
import { vadSchema } from "./vad-settings.ts";

/** Largest size of `options`, as compact JSON in UTF-8. */
export const MAX_OPTIONS_BYTES = 4_096;
const OPTIONS_ALLOWED = `an object of at most ${MAX_OPTIONS_BYTES} bytes`;

/** Most characters of the token of a checkpoint. */
export const MAX_TOKEN_CHARACTERS = 32_768;
const RESUME_ALLOWED = "an object with the token of a checkpoint";
const TOKEN_ALLOWED = `the token of a checkpoint, 1 to ${MAX_TOKEN_CHARACTERS} characters`;

/** W3C Trace Context: version 00 has exactly these parts, later versions may append more; ids are never all zero. */
const TRACE_ID =
  /^(?:(?!0{32}$)[0-9a-fA-F]{32}|(?!ff)(?!00-.{53})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?)$/;
const TRACE_ID_ALLOWED = "a W3C traceparent (00-<32 hex>-<16 hex>-<2 hex>) or a trace id of 32 hex digits";
const TRACESTATE_ALLOWED = "at most 512 printable ASCII characters";
const MODEL_ALLOWED = "the name of a model, 1 to 128 characters";

function startSchemaFor(maxChannels: number) {
  return v.strictObject({
    request: v.literal("start"),
    format: formatSchemaFor(maxChannels),
    interim_results: v.optional(flag(), false),
    trace_id: v.exactOptional(
      v.pipe(text(TRACE_ID_ALLOWED), v.maxLength(512, TRACE_ID_ALLOWED), v.regex(TRACE_ID, TRACE_ID_ALLOWED)),
    ),
    tracestate: v.exactOptional(
      v.pipe(
        text(TRACESTATE_ALLOWED),
        v.maxLength(512, TRACESTATE_ALLOWED),
        v.regex(/^[\x20-\x7e]*$/, TRACESTATE_ALLOWED),
      ),
    ),
    model: v.exactOptional(v.pipe(text(MODEL_ALLOWED), v.minLength(1, MODEL_ALLOWED), v.maxLength(128, MODEL_ALLOWED))),
    options: v.exactOptional(v.record(v.string(), v.unknown(), OPTIONS_ALLOWED)),
    vad: v.exactOptional(vadSchema),
    interim_interval_ms: v.optional(whole(100, 10_000), 500),
    flush_after_ms: v.optional(zeroOr(200, 60_000), 0),
    timing: v.optional(flag(), false),
    resume: v.exactOptional(
      v.strictObject(
        {
          token: v.pipe(
            text(TOKEN_ALLOWED),
            v.minLength(1, TOKEN_ALLOWED),
            v.maxLength(MAX_TOKEN_CHARACTERS, TOKEN_ALLOWED),
          ),
        },
        RESUME_ALLOWED,
      ),
    ),
  });
}

const startSchema = startSchemaFor(MAX_CHANNELS);

const stopSchema = v.strictObject({
  request: v.literal("stop"),
  disconnect: v.optional(flag(), false),
});

const flushSchema = v.strictObject({ request: v.literal("flush") });

const keepAliveSchema = v.strictObject({
  request: v.literal("keep_alive"),
});

/** Schemas of the requests by the value of `request`. */
export const REQUESTS = {
  start: startSchema,
  stop: stopSchema,
  flush: flushSchema,
  keep_alive: keepAliveSchema,
} as const;

/** Titles of the requests in the API contract. */
export const REQUEST_TITLES: Readonly<Record<keyof typeof REQUESTS, string>> = {
  start: "Opens a stream",
  stop: "Ends the stream once everything received has been answered",
  flush: "Ends the current utterance or block now",
  keep_alive: "Resets the idle timer",
};

/**
 * A start with its defaults filled in. `vad` has only the settings of the client, and is absent when there are none.
 */
export type Start = v.InferOutput<typeof startSchema>;
export type Stop = v.InferOutput<typeof stopSchema>;
export type Flush = v.InferOutput<typeof flushSchema>;
export type KeepAlive = v.InferOutput<typeof keepAliveSchema>;
export type Request = Start | Stop | Flush | KeepAlive;

/**
 * Parses and validates a text message of a client: null counts as absent, defaults are filled in. Throws ProtocolError
 * for the first fault, and nothing else: `invalid_json`, `invalid_request`, `unknown_request` or `unsupported_format`,
 * with the field in `param`.
 */
export function parseRequest(message: string, limits: { readonly maxChannels: number }): Request {
  return readRequest(parseJson(message), limits);
}

/** Validates a message like `parseRequest`, after its JSON has been parsed. */
export function readRequest(value: unknown, limits: { readonly maxChannels: number }): Request {
  const fields = messageFields(value);
  const kind = fields["request"];
  if (typeof kind !== "string") {
    throw invalid("request", `found ${describeValue(kind)}; allowed: ${KINDS}`);
  }
  if (!isKind(kind)) throw unknownRequest(kind);
  if (kind === "start") return parseStart(fields, limits.maxChannels);
  return checkFields<Request>(REQUESTS[kind], fields);
}

/**
 * Returns the start of these fields, apart from `request`. Throws ProtocolError like `parseRequest`.
 */
export function readStart(fields: Record<string, unknown>, limits: { readonly maxChannels: number }): Start {
  return parseStart({ ...fields, request: "start" }, limits.maxChannels);
}

const KINDS = Object.keys(REQUESTS)
  .map((kind) => `"${kind}"`)
  .join(", ");

function isKind(kind: string): kind is keyof typeof REQUESTS {
  return Object.hasOwn(REQUESTS, kind);
}

/** Schemas by the server's maximum of channels. Building one costs more than using it, and a server needs only one. */
const startSchemas = new Map([[MAX_CHANNELS, startSchema]]);

function parseStart(fields: Record<string, unknown>, maxChannels: number): Start {
  const schema = startSchemas.get(maxChannels) ?? startSchemaFor(maxChannels);
  startSchemas.set(maxChannels, schema);
  const { vad, ...start } = checkFields<Start>(schema, fields);
  sampleFormat(start.format);
  const bytes = start.options === undefined ? 0 : new TextEncoder().encode(JSON.stringify(start.options)).length;
  if (bytes > MAX_OPTIONS_BYTES) throw invalid("options", `found ${bytes} bytes; allowed: ${OPTIONS_ALLOWED}`);
  return vad === undefined || Object.keys(vad).length === 0 ? start : { ...start, vad };
}

function unknownRequest(kind: string): ProtocolError {
  const meant = nearestName(kind, Object.keys(REQUESTS));
  const hint = meant === undefined ? `allowed: ${KINDS}` : `did you mean "${meant}"?`;
  return new ProtocolError("unknown_request", `unknown request "${excerpt(kind)}"; ${hint}`, { param: "request" });
}

function invalid(param: string, problem: string): ProtocolError {
  return new ProtocolError("invalid_request", `${param}: ${problem}`, { param });
}
