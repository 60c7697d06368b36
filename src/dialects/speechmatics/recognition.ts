import type { Config } from "../../config/config.ts";
import { SAMPLE_FORMATS } from "../../lib/sample-format.ts";
import type { Pattern } from "../../pipeline/pattern.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { MAX_OPTIONS_BYTES } from "../../protocol/requests.ts";
import { VAD_RANGES } from "../../protocol/vad-settings.ts";
import type { Input, OfferedModel } from "../dialect.ts";
import { chooseModel, optionsFor } from "../models.ts";
import { startInput } from "../start-input.ts";
import { ENCODINGS, type StartRecognition } from "./messages.ts";

/** The server, as far as a recognition depends on it. */
export interface RecognitionHost {
  readonly config: Pick<Config, "limits" | "dialects">;
  /** The models that the client may use, the default first. */
  readonly models: readonly OfferedModel[];
  readonly pattern: Pattern;
}

/** What a client has asked for. */
export interface Recognition {
  /** Undefined: the WAV header in the audio has it. */
  readonly format: AudioFormat | undefined;
  /** Returns the input that starts the stream of a format. */
  readonly start: (format: AudioFormat) => Input;
  readonly partials: boolean;
  /** As the client names it. */
  readonly language: string | undefined;
}

/** Returns what a StartRecognition comes to. Throws ProtocolError. */
export function recognitionOf(
  { audio_format: audio, transcription_config: asked }: StartRecognition,
  { config, models, pattern }: RecognitionHost,
): Recognition {
  const { language, enable_partials: partials = false } = asked;
  const chosen = chooseModel(asked.model ?? asked.operating_point, models, config.dialects);
  const vocabulary = asked.additional_vocab?.map((word) => (typeof word === "string" ? word : word.content));
  const options = optionsFor(chosen.model, { language, vocabulary });
  if (options !== undefined && Buffer.byteLength(JSON.stringify(options)) > MAX_OPTIONS_BYTES) {
    const param = "transcription_config.additional_vocab";
    const message = `${param}: found more than ${MAX_OPTIONS_BYTES} bytes; allowed: at most that, with the language`;
    throw new ProtocolError("invalid_request", message, { param });
  }
  const trigger = asked.conversation_config?.end_of_utterance_silence_trigger;
  const silence = pattern.usesVad ? silenceMs(trigger, config.dialects.min_silence_ms) : undefined;
  const fields = {
    ...(chosen.name !== undefined && { model: chosen.name }),
    ...(options !== undefined && { options }),
    ...(silence !== undefined && { vad: { min_silence_ms: silence } }),
    ...(partials && { interim_results: true }),
  };
  const maxChannels = config.limits.max_channels;
  return {
    format: audio.type === "raw" ? formatOf(audio.encoding, audio.sample_rate) : undefined,
    start: (format) => startInput({ ...fields, format }, maxChannels),
    partials,
    language,
  };
}

function formatOf(encoding: keyof typeof ENCODINGS, sample_rate: number): AudioFormat {
  const { bytes: _, ...layout } = SAMPLE_FORMATS[ENCODINGS[encoding]];
  return { channels: 1, sample_rate, ...layout };
}

/** Returns the silence that ends an utterance, within what is possible here; undefined: the server's own. */
function silenceMs(seconds: number | undefined, least: number): number | undefined {
  // 0 switches the detection off there; here, utterances end anyway.
  if (seconds === undefined || seconds <= 0) return undefined;
  const [, most] = VAD_RANGES.min_silence_ms;
  return Math.round(Math.min(most, Math.max(least, seconds * 1000)));
}
