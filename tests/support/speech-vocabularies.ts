import type { NativeEvent } from "../../src/client/grpc/grpc-messages.ts";
import type { Message, Route } from "../../src/dialects/dialect.ts";
import { googleV1 } from "../../src/dialects/google/v1.ts";
import { googleV2 } from "../../src/dialects/google/v2.ts";
import { riva } from "../../src/dialects/riva/api.ts";
import { type Plain, type SpeechApi, typesOf } from "../../src/dialects/speech/api.ts";
import { speechMethods } from "../../src/dialects/speech/methods.ts";

/** How Riva's and Google's clients say what every client has to say, for the contract of all dialects. */
interface SpeechVocabulary {
  readonly api: SpeechApi;
  readonly isWhole: boolean;
  /** The first message of a call, as the transport has translated it, with audio of this encoding at 16 kHz. */
  readonly first: (encoding: number) => Plain;
  /** Returns the start and the end of a word in the unit of the dialect. */
  readonly times: (word: Word) => readonly [start: number, end: number];
}

interface Duration {
  readonly seconds: number;
  readonly nanos: number;
}

interface Word {
  readonly start_time?: number | Duration;
  readonly end_time?: number | Duration;
  readonly start_offset?: Duration;
  readonly end_offset?: Duration;
}

/** Responses with what is told of finals. */
interface Response {
  readonly results?: readonly {
    readonly alternatives: readonly { readonly transcript: string; readonly words: readonly Word[] }[];
    readonly is_final?: boolean;
  }[];
}

const secondsOf = (time: number | Duration | undefined): number =>
  typeof time === "object" ? Math.round((time.seconds + time.nanos / 1e9) * 1e6) / 1e6 : (time ?? 0);

function configOf(encoding: number): Plain {
  return { encoding, sample_rate_hertz: 16_000, enable_word_time_offsets: true };
}

const RIVA: Omit<SpeechVocabulary, "isWhole"> = {
  api: riva,
  first: (encoding) => ({ streaming_config: { config: configOf(encoding), interim_results: true } }),
  times: ({ start_time, end_time }) => [secondsOf(start_time), secondsOf(end_time)],
};

const GOOGLE_V1: Omit<SpeechVocabulary, "isWhole"> = {
  ...RIVA,
  api: googleV1,
  first: (encoding) => ({ streaming_config: { config: configOf(encoding), enable_voice_activity_events: true } }),
};

const GOOGLE_V2: Omit<SpeechVocabulary, "isWhole"> = {
  api: googleV2,
  first: (encoding) => {
    const explicit_decoding_config = { encoding, sample_rate_hertz: 16_000 };
    const config = { explicit_decoding_config, features: { enable_word_time_offsets: true } };
    return { recognizer: "projects/p/locations/l/recognizers/_", streaming_config: { config } };
  },
  times: ({ start_offset, end_offset }) => [secondsOf(start_offset), secondsOf(end_offset)],
};

/** A method as if it were spoken over an upgrade, with its first message in the query. */
function asRoute(api: SpeechApi, isWhole: boolean): Route {
  const method = speechMethods(api)[isWhole ? 1 : 0];
  if (method === undefined) throw new Error(`${api.dialect} has no such method`);
  return {
    dialect: api.dialect,
    paths: [`/${api.package}/${isWhole ? "whole" : "stream"}`],
    credentials: ({ headers }) => method.credentials(headers),
    choose: () => undefined,
    refuse: ({ code, message }) => ({ code, message }),
    open: (_path, { url }, config, models = []) =>
      method.open(new URL(url).searchParams.get("first") ?? "", config, models),
  };
}

function vocabularyOf({ api, isWhole, first, times }: SpeechVocabulary) {
  const route = asRoute(api, isWhole);
  const url = (encoding: number): string =>
    `http://localhost${route.paths[0]}?first=${encodeURIComponent(JSON.stringify(first(encoding)))}`;
  const { streamResponse, wholeResponse } = typesOf(api);
  const response = isWhole ? wholeResponse : streamResponse;
  return {
    route,
    url: url(1),
    start: [JSON.stringify(first(1))],
    // The first message opens the session, and is refused before there is one.
    wrongUrl: url(99),
    stop: [],
    finishes: true as const,
    audio: (bytes: Uint8Array): readonly Message[] => [bytes],
    utterances: {
      url: url(1),
      finals: (lines: readonly string[]) =>
        lines.flatMap((line) => {
          const { results = [] } = JSON.parse(line) as Response;
          return results.flatMap(({ alternatives: [best], is_final: isFinal = true }) => {
            const word = best?.words[0];
            if (!isFinal || best === undefined || word === undefined) return [];
            const [start, end] = times(word);
            return [{ text: best.transcript.trim(), start, end }];
          });
        }),
      ...(api === riva && { inMilliseconds: true as const }),
    },
    decode: (bytes: Uint8Array): NativeEvent => ({
      text: JSON.stringify(response.toObject(response.decode(bytes), { longs: Number, arrays: true, defaults: true })),
    }),
    check: (message: string): void => void JSON.parse(message),
    good: 0,
  };
}

export const speechVocabularies = {
  riva: vocabularyOf({ ...RIVA, isWhole: false }),
  "riva files": vocabularyOf({ ...RIVA, isWhole: true }),
  "google v1": vocabularyOf({ ...GOOGLE_V1, isWhole: false }),
  "google v2": vocabularyOf({ ...GOOGLE_V2, isWhole: false }),
};
