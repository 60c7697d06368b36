import { describeValue } from "../../lib/excerpt.ts";
import { SAMPLE_FORMATS, type SampleFormat } from "../../lib/sample-format.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";

/** The encodings of an API by their numbers. 0 is none in each. */
export interface EncodingNames {
  /** Those that are taken. */
  readonly taken: Readonly<Record<number, { readonly name: string; readonly format: SampleFormat }>>;
  /** The names of some others. */
  readonly others: Readonly<Record<number, string>>;
}

/** What a client says about its audio. */
export interface AskedAudio {
  readonly encoding?: number;
  readonly sample_rate_hertz?: number;
  readonly audio_channel_count?: number;
}

/** The audio of a call. */
export interface SpeechAudio {
  /** Undefined: only a WAV header says it. */
  readonly format: AudioFormat | undefined;
  /** The client has said it all. False: a WAV header counts, if there is one. */
  readonly isCertain: boolean;
}

/** What a client asks for in its first message. */
export interface SpeechWishes {
  readonly audio: SpeechAudio;
  readonly interims: boolean;
  /** Words are sent beside the text. */
  readonly words: boolean;
  readonly speechEvents: boolean;
  readonly singleUtterance: boolean;
  readonly model: string | undefined;
  readonly language: string | undefined;
  /** Words and phrases that are likely; undefined: none. */
  readonly vocabulary: readonly string[] | undefined;
  /** Silence that ends an utterance, milliseconds; undefined: the server's own. */
  readonly silenceMs: number | undefined;
}

/** Names of languages that mean: whichever is spoken. */
const ANY_LANGUAGE: readonly string[] = ["", "auto", "multi"];

/** Reads what is said about the audio. Throws ProtocolError `unsupported_format` for an encoding that is not taken. */
export function audioWishes(asked: AskedAudio | null | undefined, { taken, others }: EncodingNames): SpeechAudio {
  const { encoding = 0, sample_rate_hertz: sample_rate = 0, audio_channel_count: count = 0 } = asked ?? {};
  const found = taken[encoding];
  if (encoding !== 0 && found === undefined) {
    const names = Object.values(taken).map(({ name }) => name);
    const problem = `encoding: found ${others[encoding] ?? describeValue(encoding)}; allowed: ${names.join(", ")}, or none for a WAV file`;
    throw new ProtocolError("unsupported_format", problem, { param: "encoding" });
  }
  if (sample_rate === 0) return { format: undefined, isCertain: false };
  const { bytes: _, ...layout } = SAMPLE_FORMATS[found?.format ?? "s16"];
  return { format: { channels: count === 0 ? 1 : count, sample_rate, ...layout }, isCertain: found !== undefined };
}

/** Returns the language that is asked for; undefined: none, or whichever is spoken. */
export function languageWish(codes: readonly (string | undefined)[]): string | undefined {
  const [code = "", ...others] = codes;
  return others.length > 0 || ANY_LANGUAGE.includes(code.toLowerCase()) ? undefined : code;
}

/** Returns the phrases that are likely; undefined: none. */
export function vocabularyWish(
  contexts: readonly { readonly phrases?: readonly string[] }[] = [],
): readonly string[] | undefined {
  const phrases = contexts.flatMap(({ phrases: each = [] }) => each).filter(Boolean);
  return phrases.length === 0 ? undefined : phrases;
}
