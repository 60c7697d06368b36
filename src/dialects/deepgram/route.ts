import type { Config } from "../../config/config.ts";
import { ticketOf } from "../../protocol/credentials.ts";
import { type ErrorCode, ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { MAX_OPTIONS_BYTES, readStart } from "../../protocol/requests.ts";
import { VAD_RANGES } from "../../protocol/vad-settings.ts";
import type { Input, Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel, type ChosenModel, optionsFor } from "../models.ts";
import { sessionUuid } from "../session-uuid.ts";
import { startInput } from "../start-input.ts";
import { DeepgramDialect } from "./dialect.ts";
import type { Refusal } from "./messages.ts";
import { type Listen, readListen } from "./query.ts";

/** Deepgram's names of what a connection is refused for. */
export const REFUSALS: Partial<Record<ErrorCode, string>> = {
  unauthorized: "INVALID_AUTH",
  origin_not_allowed: "FORBIDDEN",
  host_not_allowed: "FORBIDDEN",
  upgrade_required: "UPGRADE_REQUIRED",
  too_many_sessions: "TOO_MANY_REQUESTS",
  overloaded: "SERVICE_UNAVAILABLE",
  not_ready: "SERVICE_UNAVAILABLE",
  model_unavailable: "SERVICE_UNAVAILABLE",
  draining: "SERVICE_UNAVAILABLE",
  internal: "INTERNAL_SERVER_ERROR",
};

/** The least that a WAV header can ask for, as long as nobody has seen it. */
const USUAL_FORMAT: AudioFormat = {
  channels: 1,
  sample_rate: 16_000,
  bit_depth: 16,
  is_float: false,
  encoding: "pcm",
};

/** What the value of a header can be. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/** Deepgram's streaming API, version 1. */
export const deepgram: Route = {
  dialect: "deepgram",
  paths: ["/v1/listen"],
  credentials: (request) => ({ token: tokenOf(request.headers), ticket: ticketOf(request) }),
  // The name behind it is the secret.
  choose: (offered) => offered.find(isScheme),
  headers: (session, { model }) => ({
    "dg-request-id": sessionUuid(session),
    ...(model !== undefined && PRINTABLE.test(model) && { "dg-model-name": model }),
  }),
  refuse: ({ code, message }): Refusal => ({
    err_code: REFUSALS[code] ?? "INVALID_QUERY_PARAMETER",
    // The field of a start is the parameter of the query.
    err_msg: message.replace(/^format\./, ""),
    request_id: crypto.randomUUID(),
  }),
  open(_path, request, config, models = []) {
    const { limits, dialects } = config;
    const listen = readListen(new URL(request.url).searchParams, limits.max_channels);
    const chosen = chooseModel(listen.model, models, dialects);
    const fields = startFields(listen, chosen, dialects.min_silence_ms);
    const start = (format: AudioFormat): Input => startInput({ ...fields, format }, limits.max_channels);
    const created = new Date().toISOString();
    const { format, speechEvents, utteranceEndMs } = listen;
    const { untexted } = dialects;
    const common = { created, format, start, speechEvents, utteranceEndMs, untexted, extras: dialects.extras === "on" };
    return {
      dialect: "deepgram",
      pattern: chosen.pattern,
      model: chosen.model?.name,
      start: readStart({ ...fields, format: format ?? USUAL_FORMAT }, { maxChannels: limits.max_channels }),
      traits: { ...foreignTraits(config), binaryIsAudio: false },
      create: (session) => new DeepgramDialect({ ...common, requestId: sessionUuid(session) }),
    };
  },
};

/** The fields of the start that follow from the query, apart from the format. Throws ProtocolError. */
export function startFields(
  listen: Listen,
  { name, model, pattern }: ChosenModel,
  leastSilenceMs: Config["dialects"]["min_silence_ms"],
): Record<string, unknown> {
  const { interims, endpointing, language, vocabulary } = listen;
  const options = optionsFor(model, { language, vocabulary });
  if (options !== undefined && Buffer.byteLength(JSON.stringify(options)) > MAX_OPTIONS_BYTES) {
    const message = `keyterm: found more than ${MAX_OPTIONS_BYTES} bytes; allowed: at most that, with the language`;
    throw new ProtocolError("invalid_request", message, { param: "keyterm" });
  }
  const silence = pattern.usesVad ? silenceMs(endpointing, leastSilenceMs) : undefined;
  return {
    ...(name !== undefined && { model: name }),
    ...(options !== undefined && { options }),
    ...(silence !== undefined && { vad: { min_silence_ms: silence } }),
    ...(interims && { interim_results: true }),
  };
}

/** Returns the silence that ends an utterance, within what is possible here; undefined: the server's own. */
function silenceMs(endpointing: Listen["endpointing"], least: number): number | undefined {
  const [, most] = VAD_RANGES.min_silence_ms;
  if (endpointing === undefined || endpointing === true) return undefined;
  return endpointing === false ? most : Math.min(most, Math.max(least, endpointing));
}

/** The token of `Authorization: Token KEY` or `Bearer KEY`, or of the subprotocols `token, KEY` or `bearer, KEY`. */
function tokenOf(headers: Headers): string | undefined {
  const inHeader = /^(?:token|bearer) +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (inHeader !== undefined) return inHeader;
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  const scheme = offered.findIndex(isScheme);
  const key = scheme === -1 ? undefined : offered[scheme + 1];
  return key === "" ? undefined : key;
}

function isScheme(name: string): boolean {
  return /^(?:token|bearer)$/i.test(name);
}
