import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";

import { SETTINGS } from "../../config/config.ts";
import { REQUESTS } from "../../protocol/requests.ts";
import { RESERVED_FIELDS } from "../send/start-fields.ts";
import type { Key, Keys } from "./key.ts";

/** Returns the fields of a start that `--set` may set; those of an object with a dot, as in `vad.min_silence_ms`. */
export function startKeys(): Keys {
  const { properties = {} } = toJsonSchema(REQUESTS.start, { typeMode: "input", errorMode: "ignore" });
  return new Map(fieldsOf(properties).filter(([name]) => !RESERVED_FIELDS.includes(name.split(".")[0] ?? "")));
}

function fieldsOf(properties: Readonly<Record<string, JsonSchema | boolean>>, prefix = ""): [string, Key][] {
  return Object.entries(properties).flatMap(([field, schema]): [string, Key][] => {
    if (typeof schema === "boolean") return [];
    const name = prefix + field;
    if (schema.properties !== undefined) return fieldsOf(schema.properties, `${name}.`);
    const isOpen = schema.type === "object";
    const words = schema.type === "boolean" ? ["true", "false"] : (schema.enum ?? []).map(String);
    const description = meaningOf(name) ?? schema.description ?? "";
    return [[isOpen ? `${name}.` : name, { description, hint: words.join("|") || "VALUE", allowed: rangeOf(schema) }]];
  });
}

/** The settings of the server have the meaning of the fields with the same names. */
function meaningOf(name: string): string | undefined {
  const [section, key = ""] = name.split(".");
  if (section !== "vad") return MEANINGS[name];
  const settings: Readonly<Record<string, { meaning: string }>> = SETTINGS.vad;
  return settings[key]?.meaning;
}

/** See docs/protocol.md. */
const MEANINGS: Readonly<Record<string, string>> = {
  interim_results: "send interim results while a person speaks",
  interim_interval_ms: "least audio between two interim results",
  flush_after_ms: "end the utterance when no audio has come for this time; 0: never",
  model: "name of a model of the server",
  options: "options for the model",
  timing: "send the times that each result took",
  trace_id: "trace to continue",
  tracestate: "state of the trace, of W3C Trace Context",
  "resume.token": "token of the checkpoint to go on from",
};

function rangeOf({ minimum, maximum }: JsonSchema): string {
  return minimum === undefined || maximum === undefined ? "" : `a number from ${minimum} to ${maximum}`;
}
