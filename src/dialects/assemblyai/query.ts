import * as v from "valibot";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_FORMATS, type SampleFormat } from "../../lib/sample-format.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { flag, invalidParameter, readQuery, wholeNumber } from "../query-fields.ts";

/** The names of sample formats. Others of AssemblyAI's are compressed. */
const ENCODINGS = { pcm_s16le: "s16", pcm_mulaw: "mulaw" } as const satisfies Record<string, SampleFormat>;
const ENCODING_NAMES = Object.keys(ENCODINGS) as (keyof typeof ENCODINGS)[];
/** The rate of telephony, which mu-law has unless the client says otherwise. Hz. */
const MULAW_RATE = 8_000;
/** Largest value of a time that is limited to what is possible later on. */
const MAX_TIME = 999_999_999;

/** Lists are JSON in one parameter. */
function texts() {
  const allowed = "a JSON array of texts";
  return v.pipe(
    v.string(allowed),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        const list: unknown = JSON.parse(dataset.value);
        if (v.is(v.array(v.string()), list)) return list;
      } catch {
        // Reported below, like JSON of another kind.
      }
      addIssue({ message: allowed });
      return NEVER;
    }),
  );
}

const querySchema = v.object({
  encoding: v.optional(v.picklist(ENCODING_NAMES, `one of ${ENCODING_NAMES.join(", ")}`), "pcm_s16le"),
  sample_rate: v.optional(wholeNumber(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE)),
  format_turns: v.optional(flag()),
  include_partial_turns: v.optional(flag()),
  min_turn_silence: v.optional(wholeNumber(0, MAX_TIME)),
  /** The earlier name. */
  min_end_of_turn_silence_when_confident: v.optional(wholeNumber(0, MAX_TIME)),
  turn_left_pad_ms: v.optional(wholeNumber(0, MAX_TIME)),
  inactivity_timeout: v.optional(wholeNumber(0, MAX_TIME)),
  speech_model: v.optional(v.string()),
  language_code: v.optional(v.string()),
  language_codes: v.optional(texts()),
  keyterms_prompt: v.optional(texts()),
  prompt: v.optional(v.string()),
});

/** The parameters as they stand in a query. */
export type AskedFields = v.InferInput<typeof querySchema>;

/** What a client asks for in the query of its upgrade. Undefined: it does not say. */
export interface Asked {
  readonly format: AudioFormat;
  readonly formatTurns: boolean;
  readonly interims: boolean;
  /** Silence that ends a turn, milliseconds. */
  readonly silenceMs: number | undefined;
  /** Audio before the speech of a turn, milliseconds. */
  readonly preRollMs: number | undefined;
  /** Seconds without a message after which the client is gone. */
  readonly inactivitySeconds: number | undefined;
  readonly model: string | undefined;
  readonly language: string | undefined;
  /** Words and phrases that are likely; undefined: none. */
  readonly vocabulary: readonly string[] | undefined;
  readonly prompt: string | undefined;
}

/** Reads the query. Throws ProtocolError `invalid_request` for the first value that is not of its parameter's type. */
export function readAsked(query: URLSearchParams): Asked {
  const asked = readQuery(querySchema, query);
  const { language_codes: languages, keyterms_prompt: vocabulary = [] } = asked;
  return {
    format: formatOf(asked.encoding, asked.sample_rate),
    formatTurns: asked.format_turns ?? false,
    interims: asked.include_partial_turns ?? true,
    silenceMs: asked.min_turn_silence ?? asked.min_end_of_turn_silence_when_confident,
    preRollMs: asked.turn_left_pad_ms,
    inactivitySeconds: asked.inactivity_timeout,
    model: asked.speech_model,
    // A client that names several lets the model choose.
    language: languages === undefined ? asked.language_code : languages.length === 1 ? languages[0] : undefined,
    vocabulary: vocabulary.length === 0 ? undefined : vocabulary,
    prompt: asked.prompt,
  };
}

function formatOf(encoding: keyof typeof ENCODINGS, rate: number | undefined): AudioFormat {
  const sample_rate = rate ?? (encoding === "pcm_mulaw" ? MULAW_RATE : undefined);
  if (sample_rate === undefined) {
    throw invalidParameter("sample_rate", "nothing", `a whole number from ${MIN_SAMPLE_RATE} to ${MAX_SAMPLE_RATE}`);
  }
  const { bytes: _, ...layout } = SAMPLE_FORMATS[ENCODINGS[encoding]];
  return { channels: 1, sample_rate, ...layout };
}
