import * as v from "valibot";

import { describeValue, excerpt } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseJson } from "../../protocol/message-fields.ts";
import { type Control, CONTROLS, controlSchema, type ServerMessage } from "./messages.ts";

/** Characters of a text that is not understood in the error about it. */
const SHOWN_CHARACTERS = 200;

/** Reads a client's text. Returns the error that answers one that is not understood; the stream goes on. */
export function readControl(message: string): Control | ServerMessage {
  let value: unknown;
  try {
    value = parseJson(message);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return notUnderstood(message, error.message);
  }
  const type = v.is(controlSchema, value) ? value.type : undefined;
  const control = CONTROLS.find((each) => each === type);
  return control ?? notUnderstood(message, `type: found ${describeValue(type)}; allowed: ${CONTROLS.join(", ")}`);
}

function notUnderstood(message: string, description: string): ServerMessage {
  return { type: "Error", variant: "SchemaError", description, message: excerpt(message, SHOWN_CHARACTERS) };
}
