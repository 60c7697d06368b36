import * as v from "valibot";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_FORMATS, type SampleFormat } from "../../lib/sample-format.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { flag, invalidParameter, readQuery, wholeNumber } from "../query-fields.ts";

/** The names of sample formats. Others of Deepgram's are compressed. */
const ENCODINGS = { linear16: "s16", linear32: "f32", mulaw: "mulaw", alaw: "alaw" } as const satisfies Record<
  string,
  SampleFormat
>;
export const ENCODING_NAMES = Object.keys(ENCODINGS) as (keyof typeof ENCODINGS)[];
/** The rate of telephony, which these encodings have unless the client says otherwise. */
const TELEPHONY_RATES: Readonly<Record<string, number>> = { mulaw: 8_000, alaw: 8_000 };
/** Range of `utterance_end_ms`. */
const UTTERANCE_END_MS = [1_000, 5_000] as const;

const ENDPOINTING_ALLOWED = "true, false, or a whole number of milliseconds";

function querySchemaFor(maxChannels: number) {
  return v.object({
    encoding: v.optional(
      v.picklist(ENCODING_NAMES, `one of ${ENCODING_NAMES.join(", ")}, or none for audio with a WAV header`),
    ),
    sample_rate: v.optional(wholeNumber(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE)),
    channels: v.optional(wholeNumber(1, maxChannels)),
    interim_results: v.optional(flag()),
    endpointing: v.optional(v.union([wholeNumber(0, 999_999_999), flag()], ENDPOINTING_ALLOWED)),
    vad_events: v.optional(flag()),
    utterance_end_ms: v.optional(wholeNumber(...UTTERANCE_END_MS)),
    model: v.optional(v.string()),
    language: v.optional(v.string()),
  });
}

/** The parameters as they stand in a query. */
export type ListenFields = v.InferInput<ReturnType<typeof querySchemaFor>>;

/** Schemas by the server's maximum of channels. Building one costs more than using it, and a server needs only one. */
const schemas = new Map<number, ReturnType<typeof querySchemaFor>>();

/** What a client asks for in the query of its upgrade. Undefined: it does not say. */
export interface Listen {
  /** Undefined: a WAV header in the audio says it. */
  readonly format: AudioFormat | undefined;
  readonly interims: boolean;
  /** Silence that ends an utterance, milliseconds, or whether there is one. */
  readonly endpointing: number | boolean | undefined;
  readonly speechEvents: boolean;
  /** Milliseconds without speech after which the end of an utterance is reported; undefined: it is not. */
  readonly utteranceEndMs: number | undefined;
  readonly model: string | undefined;
  readonly language: string | undefined;
  /** Words and phrases that are likely; undefined: none. */
  readonly vocabulary: readonly string[] | undefined;
}

/** Reads the query. Throws ProtocolError `invalid_request` for the first value that is not of its parameter's type. */
export function readListen(query: URLSearchParams, maxChannels: number): Listen {
  const schema = schemas.get(maxChannels) ?? querySchemaFor(maxChannels);
  schemas.set(maxChannels, schema);
  const asked = readQuery(schema, query);
  // `keywords` are the older ones, each with a boost behind a colon.
  const keywords = query.getAll("keywords").map((keyword) => keyword.replace(/:-?[\d.]+$/, ""));
  const vocabulary = [...query.getAll("keyterm"), ...keywords].filter(Boolean);
  return {
    format: asked.encoding === undefined ? undefined : formatOf(asked.encoding, asked.sample_rate, asked.channels),
    interims: asked.interim_results ?? false,
    endpointing: asked.endpointing,
    speechEvents: asked.vad_events ?? false,
    utteranceEndMs: asked.utterance_end_ms,
    model: asked.model,
    language: asked.language,
    vocabulary: vocabulary.length === 0 ? undefined : vocabulary,
  };
}

function formatOf(encoding: keyof typeof ENCODINGS, rate: number | undefined, channels = 1): AudioFormat {
  const sample_rate = rate ?? TELEPHONY_RATES[encoding];
  if (sample_rate === undefined) {
    const allowed = `with encoding ${encoding} a whole number from ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`;
    throw invalidParameter("sample_rate", "nothing", allowed);
  }
  const { bytes: _, ...layout } = SAMPLE_FORMATS[ENCODINGS[encoding]];
  return { channels, sample_rate, ...layout };
}
