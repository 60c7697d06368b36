import type { VadSettings } from "../../protocol/vad-settings.ts";
import type { BetaSession, ServerMessage, Session } from "./messages.ts";
import type { SessionSettings } from "./session-settings.ts";

/** Probability of speech that clients set: the detector here has no such measure, and keeps its own. */
const THRESHOLD = 0.5;

const TYPES = { s16: "audio/pcm", mulaw: "audio/pcmu", alaw: "audio/pcma" } as const;
const NAMES = { s16: "pcm16", mulaw: "g711_ulaw", alaw: "g711_alaw" } as const;

/** What is in force, as far as the settings of the client do not say it. */
export interface InForce {
  readonly model: string;
  /** Undefined: nothing looks for speech. */
  readonly vad: Pick<VadSettings, "pre_roll_ms" | "min_silence_ms"> | undefined;
}

/** The session of a connection as its client reads it. */
export class SessionObject {
  readonly #head: Pick<Session, "id" | "object" | "expires_at">;

  /** @param expiresAt seconds since 1970; undefined: never */
  constructor(id: string, expiresAt: number | undefined) {
    this.#head = {
      id: `sess_${id}`,
      object: "realtime.transcription_session",
      ...(expiresAt !== undefined && { expires_at: expiresAt }),
    };
  }

  message(kind: "created" | "updated", settings: SessionSettings, actual: InForce, isBeta: boolean): ServerMessage {
    return isBeta
      ? { type: `transcription_session.${kind}`, session: this.#beta(settings, actual) }
      : { type: `session.${kind}`, session: this.#current(settings, actual) };
  }

  #current(settings: SessionSettings, actual: InForce): Session {
    const { sampleFormat, sampleRate } = settings;
    const type = TYPES[sampleFormat];
    return {
      type: "transcription",
      ...this.#head,
      audio: {
        input: {
          format: type === "audio/pcm" ? { type, rate: sampleRate } : { type },
          noise_reduction: null,
          transcription: transcription(settings, actual),
          turn_detection: turnDetection(settings, actual),
        },
      },
    };
  }

  #beta(settings: SessionSettings, actual: InForce): BetaSession {
    return {
      ...this.#head,
      input_audio_format: NAMES[settings.sampleFormat],
      input_audio_transcription: transcription(settings, actual),
      turn_detection: turnDetection(settings, actual),
      input_audio_noise_reduction: null,
      client_secret: null,
    };
  }
}

function transcription({ language, prompt, keywords }: SessionSettings, { model }: InForce) {
  return {
    model,
    ...(language !== undefined && { language }),
    ...(prompt !== undefined && { prompt }),
    ...(keywords !== undefined && { keywords: [...keywords] }),
  };
}

function turnDetection(
  { detectsTurns }: SessionSettings,
  { vad }: InForce,
): Session["audio"]["input"]["turn_detection"] {
  if (!detectsTurns || vad === undefined) return null;
  const { pre_roll_ms, min_silence_ms } = vad;
  return {
    type: "server_vad",
    threshold: THRESHOLD,
    prefix_padding_ms: pre_roll_ms,
    silence_duration_ms: min_silence_ms,
  };
}
