import type { Config } from "../../config/config.ts";
import { ticketOf } from "../../protocol/credentials.ts";
import { readStart, type Start } from "../../protocol/requests.ts";
import { VAD_RANGES } from "../../protocol/vad-settings.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import type { Route, Traits } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel, type ChosenModel, optionsFor } from "../models.ts";
import { sessionUuid } from "../session-uuid.ts";
import { refusalOf } from "./closes.ts";
import { AssemblyAiDialect } from "./dialect.ts";
import { type Asked, readAsked } from "./query.ts";

/** Clients that do not ask for another limit may be silent for long: the original has none. */
const IDLE_MS = 15 * 60_000;
/** What a client may ask for, seconds. */
const INACTIVITY_RANGE = [5, 3_600] as const;
/** What `expires_at` says of a connection without a limit, seconds from its begin. */
const UNLIMITED_SECONDS = 365 * 86_400;

/** AssemblyAI's streaming API, version 3. */
export const assemblyai: Route = {
  dialect: "assemblyai",
  paths: ["/v3/ws"],
  credentials: (request, queryTokens) => ({ token: tokenOf(request, queryTokens), ticket: ticketOf(request) }),
  // Browsers need one that they have offered, and offer this one beside a ticket.
  choose: (offered) => offered.map((name) => name.toLowerCase()).find((name) => name === SUBPROTOCOL),
  refuse: refusalOf,
  open(_path, request, config, models = []) {
    const { limits, dialects } = config;
    const asked = readAsked(new URL(request.url).searchParams);
    const chosen = chooseModel(asked.model, models, dialects);
    const start = startRequest(asked, chosen, config);
    const lifetime = limits.session_ms === 0 ? UNLIMITED_SECONDS : limits.session_ms / 1000;
    const expiresAt = Math.round(Date.now() / 1000 + lifetime);
    const { formatTurns } = asked;
    const model = chosen.model?.name;
    const common = {
      expiresAt,
      model,
      start,
      formatTurns,
      untexted: dialects.untexted,
      extras: dialects.extras === "on",
    };
    return {
      dialect: "assemblyai",
      pattern: chosen.pattern,
      model,
      start,
      traits: { ...foreignTraits(config), ...patienceFor(asked, config), binaryIsAudio: true },
      create: (session) => {
        const begun = performance.now();
        const elapsed = (): number => (performance.now() - begun) / 1000;
        return new AssemblyAiDialect({ ...common, id: sessionUuid(session), elapsed });
      },
    };
  },
};

/** Throws ProtocolError: options are too large. */
function startRequest(asked: Asked, { name, model, pattern }: ChosenModel, config: Config): Start {
  const { format, interims, language, vocabulary, prompt } = asked;
  const options = optionsFor(model, { language, vocabulary, prompt });
  const vad = pattern.usesVad ? vadSettings(asked, config.dialects.min_silence_ms) : {};
  const fields = {
    format,
    interim_results: interims,
    ...(name !== undefined && { model: name }),
    ...(options !== undefined && { options }),
    ...(Object.keys(vad).length > 0 && { vad }),
  };
  return readStart(fields, { maxChannels: config.limits.max_channels });
}

/** What is possible here of what a client asks for. @param leastSilenceMs that a client can get */
function vadSettings({ silenceMs, preRollMs }: Asked, leastSilenceMs: number): object {
  return {
    ...(silenceMs !== undefined && {
      min_silence_ms: clamp(Math.max(silenceMs, leastSilenceMs), VAD_RANGES.min_silence_ms),
    }),
    ...(preRollMs !== undefined && { pre_roll_ms: clamp(preRollMs, VAD_RANGES.pre_roll_ms) }),
  };
}

/** How long a client may send nothing. */
function patienceFor(
  { inactivitySeconds }: Asked,
  { limits }: Config,
): Required<Pick<Traits, "idleTimeoutMs" | "pingsCount">> {
  return inactivitySeconds === undefined
    ? { idleTimeoutMs: Math.max(IDLE_MS, limits.idle_timeout_ms), pingsCount: true }
    : { idleTimeoutMs: clamp(inactivitySeconds, INACTIVITY_RANGE) * 1000, pingsCount: false };
}

function clamp(value: number, [min, max]: readonly [number, number]): number {
  return Math.min(max, Math.max(min, value));
}

/** The token of `Authorization: KEY`, also behind `Bearer`, or of the query, where the SDK for browsers has it. */
function tokenOf({ headers, url }: Pick<Request, "headers" | "url">, queryTokens: boolean): string | undefined {
  const inHeader = /^(?:bearer +)?(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (inHeader !== undefined || !queryTokens) return inHeader;
  return new URL(url).searchParams.get("token") || undefined;
}
