import type { Config } from "../../config/config.ts";
import { describeValue } from "../../lib/excerpt.ts";
import { bearerToken, ticketOf } from "../../protocol/credentials.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel, type ChosenModel } from "../models.ts";
import { OpenAiDialect } from "./dialect.ts";
import { refusalOf } from "./faults.ts";
import type { InForce } from "./session-object.ts";

/** Clients connect long before somebody speaks, and have no message that only keeps a connection. */
const IDLE_MS = 15 * 60_000;

/** Bytes of a text that carries audio beside those of the audio. */
const MAX_ENVELOPE_BYTES = 1_024;

const SUBPROTOCOL = "realtime";
/** The beginnings of subprotocols that carry a key, and of the one that asks for the first version of the API. */
const KEY_PROTOCOL = "openai-insecure-api-key.";
const BETA_PROTOCOL = "openai-beta.realtime-v1";

/** OpenAI's Realtime API, for transcription. */
export const openai: Route = {
  dialect: "openai",
  paths: ["/v1/realtime"],
  credentials: (request) => ({
    token: bearerToken(request.headers) ?? keyOf(request.headers),
    ticket: ticketOf(request),
  }),
  // The others carry a key.
  choose: (offered) => offered.find((name) => name.toLowerCase() === SUBPROTOCOL),
  refuse: refusalOf,
  open(_path, request, config, models = []) {
    const { limits, dialects } = config;
    const query = new URL(request.url).searchParams;
    const intent = query.get("intent");
    if (intent !== "transcription") {
      const found = describeValue(intent ?? undefined);
      const message = `intent: found ${found}; allowed: transcription, since only that is served here`;
      throw new ProtocolError("invalid_request", message, { param: "intent" });
    }
    const model = query.get("model") ?? undefined;
    const chosen = chooseModel(model, models, dialects);
    const { pattern } = chosen;
    const expiresAt = limits.session_ms > 0 ? Math.floor((Date.now() + limits.session_ms) / 1000) : undefined;
    const isBeta = /realtime=v1/i.test(request.headers.get("openai-beta") ?? "") || offersBeta(request.headers);
    const common = { config, models, model, pattern, expiresAt, isBeta, actual: inForce(chosen, config) };
    return {
      dialect: "openai",
      pattern,
      model: chosen.model?.name,
      traits: {
        ...foreignTraits(config),
        maxTextBytes: Math.max(limits.max_text_bytes, textBytes(limits.max_message_bytes)),
        idleTimeoutMs: Math.max(IDLE_MS, limits.idle_timeout_ms),
        startTimeoutMs: Math.max(IDLE_MS, limits.start_timeout_ms),
        binaryIsAudio: false,
        pingsCount: true,
        closingIsStop: true,
      },
      create: (session) => new OpenAiDialect({ ...common, id: session }),
    };
  },
};

/** Returns the bytes of a text that carries so much audio in base64. */
function textBytes(bytes: number): number {
  return Math.ceil(bytes / 3) * 4 + MAX_ENVELOPE_BYTES;
}

/** Returns what is in force unless the client changes it. */
function inForce({ model, pattern }: ChosenModel, config: Config): InForce {
  return { model: model?.name ?? "", vad: pattern.usesVad ? config.vad : undefined };
}

function offered(headers: Headers): string[] {
  return (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
}

/** Returns the key in the subprotocols, where browsers have it. */
function keyOf(headers: Headers): string | undefined {
  const carrier = offered(headers).find((name) => name.toLowerCase().startsWith(KEY_PROTOCOL));
  const key = carrier?.slice(KEY_PROTOCOL.length);
  return key === "" ? undefined : key;
}

function offersBeta(headers: Headers): boolean {
  return offered(headers).some((name) => name.toLowerCase() === BETA_PROTOCOL);
}
