import { ProtocolError } from "../protocol/errors.ts";
import { readRequest } from "../protocol/requests.ts";
import type { Input } from "./dialect.ts";

/** Returns the input of a start with these fields, or of one that is refused. */
export function startInput(fields: object, maxChannels: number): Input {
  try {
    return { kind: "request", request: readRequest({ request: "start", ...fields }, { maxChannels }) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: "refused", error, meant: "start" };
  }
}
