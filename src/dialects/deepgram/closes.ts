import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS } from "../../protocol/errors.ts";

/** Most bytes of the reason in a close frame. */
const MAX_REASON_BYTES = 123;

/** Deepgram's names of what has gone wrong: the audio, the client's silence, the server. */
const DATA = "DATA-0000";
const SILENT = "NET-0001";
const NETWORK = "NET-0000";

const NAMED: Partial<Record<Ending, { readonly code: number; readonly name: string }>> = {
  unsupported_format: { code: 1008, name: DATA },
  format_mismatch: { code: 1008, name: DATA },
  start_timeout: { code: 1011, name: SILENT },
  idle_timeout: { code: 1011, name: SILENT },
  slow_reader: { code: 1011, name: NETWORK },
  internal: { code: 1011, name: NETWORK },
};

/**
 * Returns the close for an ending. SDKs connect again after any code but 1000: `no_stream`, where a client ends before
 * it has sent any audio, is a good end.
 */
export function closeOf(ending: Ending, message: string): Ended {
  if (ending === "stop" || ending === "no_stream") return { ending, code: 1000, reason: "" };
  if (ending === "drain") return { ending, code: 1001, reason: "" };
  const named = NAMED[ending];
  if (named !== undefined) return { ending, code: named.code, reason: reasonOf(named.name, message) };
  const { close = 1008 }: ErrorRow = ERRORS[ending];
  return { ending, code: close, reason: reasonOf(ending, message) };
}

function reasonOf(name: string, message: string): string {
  const reason = Buffer.from(message === "" ? name : `${name}: ${message.toWellFormed()}`);
  if (reason.length <= MAX_REASON_BYTES) return reason.toString();
  // A character that is cut becomes one that is longer than its bytes.
  return reason
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\uFFFD+$/, "");
}
