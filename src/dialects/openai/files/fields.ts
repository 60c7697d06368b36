import * as v from "valibot";

import { describeValue } from "../../../lib/excerpt.ts";
import { invalidParameter } from "../../query-fields.ts";

/** The forms of an answer. */
export const RESPONSE_FORMATS = ["json", "text", "srt", "verbose_json", "vtt"] as const;
export type ResponseFormat = (typeof RESPONSE_FORMATS)[number];

export const GRANULARITIES = ["word", "segment"] as const;
const LANGUAGE_ALLOWED = "the code of a language, such as en";
const TEMPERATURE_ALLOWED = "a number from 0 to 1";

/** Schemas of the fields that mean something here. Others are ignored: there are many without a counterpart. */
const FIELDS = {
  model: v.string(),
  language: v.pipe(v.string(), v.maxLength(64, LANGUAGE_ALLOWED)),
  prompt: v.string(),
  response_format: v.picklist(RESPONSE_FORMATS, RESPONSE_FORMATS.join(", ")),
  temperature: v.pipe(
    v.string(),
    v.regex(/^\d*\.?\d+(?:e-?\d+)?$/i, TEMPERATURE_ALLOWED),
    v.transform(Number),
    v.maxValue(1, TEMPERATURE_ALLOWED),
  ),
  stream: v.pipe(
    v.string(),
    v.toLowerCase(),
    v.picklist(["true", "false"], "true or false"),
    v.transform((text) => text === "true"),
  ),
  timestamp_granularities: v.picklist(GRANULARITIES, GRANULARITIES.join(", ")),
  keywords: v.string(),
} as const;

/** The name of a field, without the brackets of lists. */
export type FormField = keyof typeof FIELDS;

/** What a form asks for, so far. Undefined: it does not say. */
export class AskedFields {
  model: string | undefined;
  language: string | undefined;
  prompt: string | undefined;
  responseFormat: ResponseFormat = "json";
  temperature = 0;
  stream = false;
  /** Empty: segments. */
  readonly granularities = new Set<(typeof GRANULARITIES)[number]>();
  /** Words and phrases that are likely. */
  readonly keywords: string[] = [];

  /** Takes a field of the form. Throws ProtocolError when its value is not of its type. */
  take(field: string, value: string): void {
    // SDKs write lists as `name[]`.
    const name = field.replace(/\[\]$/, "");
    // An empty value, as of a field that a program has left out, counts as absent.
    if (value === "" || !Object.hasOwn(FIELDS, name)) return;
    switch (name as keyof typeof FIELDS) {
      case "model":
        this.model = read("model", value);
        break;
      case "language":
        this.language = read("language", value);
        break;
      case "prompt":
        this.prompt = read("prompt", value);
        break;
      case "response_format":
        this.responseFormat = read("response_format", value);
        break;
      case "temperature":
        this.temperature = read("temperature", value);
        break;
      case "stream":
        this.stream = read("stream", value);
        break;
      case "timestamp_granularities":
        this.granularities.add(read("timestamp_granularities", value));
        break;
      case "keywords":
        this.keywords.push(read("keywords", value));
        break;
    }
    const isText = this.responseFormat === "json" || this.responseFormat === "text";
    if (this.stream && !isText) {
      throw invalidParameter("stream", `true with response_format ${this.responseFormat}`, "true with json or text");
    }
  }
}

function read<Name extends keyof typeof FIELDS>(name: Name, value: string): v.InferOutput<(typeof FIELDS)[Name]> {
  const result = v.safeParse<(typeof FIELDS)[Name]>(FIELDS[name], value);
  if (result.success) return result.output;
  const [{ message }] = result.issues;
  throw invalidParameter(name, describeValue(value), message);
}
