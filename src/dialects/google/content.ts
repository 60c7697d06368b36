import { ProtocolError } from "../../protocol/errors.ts";
import type { Plain } from "../speech/api.ts";

/** Returns the audio of a file; undefined: there is none. Throws ProtocolError for a file that is elsewhere. */
export function contentOf({ content, uri }: Plain): Uint8Array | undefined {
  if (typeof uri === "string") {
    const problem = "uri: found one; allowed: content, which is the audio itself";
    throw new ProtocolError("invalid_request", problem, { param: "uri" });
  }
  return content instanceof Uint8Array ? content : undefined;
}
