import { ConnectionError } from "../../client/errors.ts";
import { messageOf } from "../../lib/thrown.ts";
import type { ApiAccess } from "./api-access.ts";
import { readInfo } from "./server-info.ts";

/** Returns a sentence for a person about what went wrong. A browser hides why a WebSocket was refused: the server is asked. */
export async function explain(error: unknown, access: ApiAccess): Promise<string> {
  if (!(error instanceof ConnectionError)) return messageOf(error);
  if (error.code === "closed") return `The connection is lost, and results with it: ${error.message}.`;
  if (error.code !== "cannot_connect") return error.message;
  try {
    const refusal = await access.refusal();
    if (refusal !== undefined) return refusal.message;
    const { live } = readInfo(await access.json("api/v1/info"));
    if (live.sessions >= live.capacity) {
      return `The server is full: ${live.sessions} of ${live.capacity} sessions are open. Try again when one has ended.`;
    }
    if (live.overloaded > 0) return "The server does not keep up with its streams at the moment. Try again later.";
    return "The server refused the connection. Its log has the reason.";
  } catch {
    return "The server cannot be reached.";
  }
}
