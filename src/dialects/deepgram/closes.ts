import type { Ended, Ending } from "../../protocol/ending.ts";
import { type ErrorRow, ERRORS } from "../../protocol/errors.ts";
import { closeReason } from "../close-reason.ts";

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
  if (named !== undefined) return { ending, code: named.code, reason: closeReason(named.name, message) };
  const { close = 1008 }: ErrorRow = ERRORS[ending];
  return { ending, code: close, reason: closeReason(ending, message) };
}
