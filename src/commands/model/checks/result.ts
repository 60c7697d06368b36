import type { Outcome } from "../../../model/job.ts";
import { compareValues, type Similarity } from "./similarity.ts";

/** A result of the model: the outcome of a call that neither failed nor was dropped. */
export type Result = Extract<Outcome, { status: "ok" }>;

const MAX_JSON = 100;

/** Compares what clients would get: output and audio, without state and times. */
export function compareResults(a: readonly Result[], b: readonly Result[]): Similarity {
  return compareValues(a.map(contentOf), b.map(contentOf));
}

function contentOf({ output, audio }: Result): unknown {
  return audio === undefined ? { output } : { output, audio: { ...audio } };
}

/** Returns whether clients would get an event for a result. */
export function hasContent({ output, audio }: Result): boolean {
  return output !== undefined || audio !== undefined;
}

/** Describes a result: its fields as JSON, cut if long, and the length of its audio. */
export function describeResult({ output, audio }: Result): string {
  const json = JSON.stringify(output ?? {});
  const fields = json.length > MAX_JSON ? `${json.slice(0, MAX_JSON)}... (${json.length} characters)` : json;
  if (audio === undefined) return fields;
  return `${fields} and ${audio.samples.length} samples of audio at ${audio.sampleRate} Hz`;
}
