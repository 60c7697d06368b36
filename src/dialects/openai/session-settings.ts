import * as v from "valibot";

import type { Config } from "../../config/config.ts";
import { describeValue } from "../../lib/excerpt.ts";
import { SAMPLE_FORMATS, type SampleFormat } from "../../lib/sample-format.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import { readRequest, type Start } from "../../protocol/requests.ts";
import { VAD_RANGES } from "../../protocol/vad-settings.ts";
import type { OfferedModel, Opened } from "../dialect.ts";
import { chooseModel, optionsFor } from "../models.ts";
import { type ClientFormat, type SessionUpdate, sessionUpdateSchema } from "./messages.ts";

/** What a client has set. Undefined: it has not, and the server's own is in force. */
export interface SessionSettings {
  readonly sampleFormat: "s16" | "mulaw" | "alaw";
  /** Hz. */
  readonly sampleRate: number;
  readonly model?: string | undefined;
  readonly language?: string | undefined;
  readonly prompt?: string | undefined;
  readonly keywords?: readonly string[] | undefined;
  /** The server ends items at pauses. False: the client commits them. */
  readonly detectsTurns: boolean;
  /** Silence that ends an item, and audio kept before speech, milliseconds. */
  readonly silenceMs?: number | undefined;
  readonly paddingMs?: number | undefined;
}

export const DEFAULT_SETTINGS: SessionSettings = { sampleFormat: "s16", sampleRate: 24_000, detectsTurns: true };

/** The rate of G.711. */
const TELEPHONY_RATE = 8_000;
const FORMATS = {
  pcm16: "s16",
  "audio/pcm": "s16",
  g711_ulaw: "mulaw",
  "audio/pcmu": "mulaw",
  g711_alaw: "alaw",
  "audio/pcma": "alaw",
} as const satisfies Record<string, SampleFormat>;

/**
 * Reads the `session` of an update: what is absent or null is unchanged; `turn_detection` null switches it off. Throws ProtocolError, with the field
 * in `param`.
 */
export function updateSettings(before: SessionSettings, session: unknown): SessionSettings {
  const result = v.safeParse(sessionUpdateSchema, session);
  if (!result.success) {
    const [issue] = result.issues;
    const path = v.getDotPath(issue);
    const param = path === null ? "session" : `session.${path}`;
    const message = `${param}: found ${describeValue(issue.input)}; allowed: ${issue.message}`;
    throw new ProtocolError("invalid_request", message, { param });
  }
  const update = result.output;
  const input = update.audio?.input;
  const format = input?.format ?? update.input_audio_format;
  return {
    ...before,
    ...(format !== undefined && format !== null && readFormat(format)),
    ...readTranscription(input?.transcription ?? update.input_audio_transcription),
    ...readTurnDetection(input?.turn_detection === undefined ? update.turn_detection : input.turn_detection),
  };
}

function readFormat(format: ClientFormat): Partial<SessionSettings> {
  const sampleFormat = FORMATS[typeof format === "string" ? format : format.type];
  const asked = typeof format === "string" ? undefined : format.rate;
  const rate = sampleFormat === "s16" ? DEFAULT_SETTINGS.sampleRate : TELEPHONY_RATE;
  return { sampleFormat, sampleRate: sampleFormat === "s16" ? (asked ?? rate) : rate };
}

function readTranscription(asked: SessionUpdate["input_audio_transcription"]): Partial<SessionSettings> {
  if (asked === undefined || asked === null) return {};
  const { model, language, languages, prompt, keywords } = asked;
  const first = language === undefined ? languages?.[0] : language;
  return {
    ...(model !== undefined && { model: model ?? undefined }),
    ...(first !== undefined && { language: first ?? undefined }),
    ...(prompt !== undefined && { prompt: prompt ?? undefined }),
    ...(keywords !== undefined && { keywords: keywords ?? undefined }),
  };
}

function readTurnDetection(asked: SessionUpdate["turn_detection"]): Partial<SessionSettings> {
  if (asked === undefined) return {};
  if (asked === null) return { detectsTurns: false };
  const { silence_duration_ms: silence, prefix_padding_ms: padding } = asked;
  return {
    detectsTurns: true,
    ...(silence !== undefined && { silenceMs: silence ?? undefined }),
    ...(padding !== undefined && { paddingMs: padding ?? undefined }),
  };
}

/** What a connection makes of its client's settings. */
export interface SettingsHost {
  readonly config: Pick<Config, "limits" | "dialects">;
  /** The models that the client may use, the default first. */
  readonly models: readonly OfferedModel[];
  /** The name of a model in the query of the upgrade. */
  readonly model: string | undefined;
  readonly pattern: Opened["pattern"];
}

/** Returns the start that follows from settings. Throws ProtocolError. */
export function startOf(settings: SessionSettings, host: SettingsHost): Start {
  const { config, pattern } = host;
  const { name, model } = modelOf(settings, host);
  const { language, prompt, keywords } = settings;
  const options = optionsFor(model, { language, prompt, vocabulary: keywords });
  const vad = pattern.usesVad ? vadOf(settings, config.dialects.min_silence_ms) : {};
  const start = readRequest(
    {
      request: "start",
      format: formatOf(settings),
      interim_results: true,
      ...(name !== undefined && { model: name }),
      ...(options !== undefined && { options }),
      ...(Object.keys(vad).length > 0 && { vad }),
    },
    { maxChannels: config.limits.max_channels },
  );
  return start as Start;
}

export function bytesPerSecond(settings: SessionSettings): number {
  const format = formatOf(settings);
  return frameBytes(format) * format.sample_rate;
}

function formatOf({ sampleFormat, sampleRate }: SessionSettings): AudioFormat {
  const { bytes: _, ...layout } = SAMPLE_FORMATS[sampleFormat];
  return { channels: 1, sample_rate: sampleRate, ...layout };
}

/**
 * Chooses the model: the one that the client names, if it is one of this server's, or else that of the connection.
 * Throws ProtocolError.
 */
function modelOf({ model: asked }: SessionSettings, { config, models, model, pattern }: SettingsHost) {
  const lenient = { ...config.dialects, strict_models: "off" } as const;
  const ofConnection = chooseModel(model, models, lenient);
  if (asked === undefined) return ofConnection;
  const chosen = chooseModel(asked, models, config.dialects);
  if (chosen.name === undefined) return ofConnection;
  if (chosen.pattern === pattern) return chosen;
  const message =
    `model: found ${describeValue(asked)}, which keeps state as the one of this connection does not, or the reverse; ` +
    "allowed: such a model in the query of the connection";
  throw new ProtocolError("invalid_request", message, { param: "model" });
}

/** Returns the settings of voice activity detection within what is possible here. */
function vadOf({ silenceMs, paddingMs }: SessionSettings, leastSilenceMs: number): object {
  const [, mostSilenceMs] = VAD_RANGES.min_silence_ms;
  const [, mostPaddingMs] = VAD_RANGES.pre_roll_ms;
  return {
    ...(silenceMs !== undefined && {
      min_silence_ms: Math.min(mostSilenceMs, Math.max(leastSilenceMs, Math.round(silenceMs))),
    }),
    ...(paddingMs !== undefined && { pre_roll_ms: Math.min(mostPaddingMs, Math.round(paddingMs)) }),
  };
}
