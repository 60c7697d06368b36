import * as v from "valibot";

import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { isObject, messageFields, parseJson } from "../../protocol/message-fields.ts";
import { type Control, CONTROLS } from "./messages.ts";

const NAMES = Object.keys(CONTROLS).join(", ");

/** A text of a client, or why it is not understood, and whether it was meant as a StartRecognition. */
type Read =
  | { readonly control: Control; readonly error?: never; readonly isStart?: never }
  | { readonly control?: never; readonly error: ProtocolError; readonly isStart: boolean };

/** Reads a client's text: null counts as absent, and fields that are not known are ignored. */
export function readControl(text: string): Read {
  let name: unknown;
  try {
    const value = parseJson(text);
    if (!isObject(value)) {
      throw new ProtocolError("unknown_request", `found ${describeValue(value)}; allowed: an object with a message`);
    }
    name = value["message"];
    if (!isName(name)) {
      throw new ProtocolError("unknown_request", `message: found ${describeValue(name)}; allowed: ${NAMES}`);
    }
    return { control: checked(name, messageFields(value)) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { error, isStart: name === "StartRecognition" };
  }
}

function checked(name: keyof typeof CONTROLS, fields: unknown): Control {
  const result = v.safeParse(CONTROLS[name], fields);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "";
  const code = param.startsWith("audio_format") ? "unsupported_format" : "invalid_request";
  throw new ProtocolError(code, `${param}: found ${describeValue(issue.input)}; allowed: ${issue.message}`, { param });
}

function isName(name: unknown): name is keyof typeof CONTROLS {
  return typeof name === "string" && Object.hasOwn(CONTROLS, name);
}
