import * as v from "valibot";

import { flag, invalidParameter, readQuery } from "../../query-fields.ts";

/** Most seconds of a pause between two utterances. */
const MAX_SPLIT = 60;
const SPLIT_ALLOWED = `seconds, a number from 0 to ${MAX_SPLIT}`;

const querySchema = v.object({
  multichannel: v.optional(flag()),
  utterances: v.optional(flag()),
  utt_split: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,3}(?:\.\d{1,6})?$/, SPLIT_ALLOWED),
      v.transform(Number),
      v.maxValue(MAX_SPLIT, SPLIT_ALLOWED),
    ),
  ),
});

/** The parameters as they stand in a query. */
export type FileQueryFields = v.InferInput<typeof querySchema>;

/** What a client asks for, beside what it can ask for in a stream. */
export interface FileQuery {
  /** Each channel is recognised; otherwise they are mixed. */
  readonly multichannel: boolean;
  readonly utterances: boolean;
  /** Silence between two utterances, milliseconds. */
  readonly splitMs: number | undefined;
}

/** Reads the query. Throws ProtocolError `invalid_request`. */
export function readFileQuery(query: URLSearchParams): FileQuery {
  if (query.has("callback")) {
    throw invalidParameter("callback", "an address", "none: the answer has the results, and the server calls nobody");
  }
  const asked = readQuery(querySchema, query);
  return {
    multichannel: asked.multichannel ?? false,
    utterances: asked.utterances ?? false,
    splitMs: asked.utt_split === undefined ? undefined : Math.round(asked.utt_split * 1_000),
  };
}
