import { ConnectionError } from "../../client/errors.ts";
import { messageOf } from "../../lib/thrown.ts";
import type { ApiAccess } from "./api-access.ts";

/** Returns a sentence for a person about what went wrong. A browser hides why a WebSocket was refused: the server is asked. */
export async function explain(error: unknown, access: ApiAccess): Promise<string> {
  if (!(error instanceof ConnectionError) || error.code !== "cannot_connect") return messageOf(error);
  try {
    const refusal = await access.refusal();
    return refusal?.message ?? "The server refused the connection. Its log has the reason.";
  } catch {
    return "The server cannot be reached.";
  }
}
