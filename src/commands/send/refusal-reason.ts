import type { ClientTls } from "../../client/tls.ts";
import { tokenHeaders, unauthorizedHint } from "../terminal/client-token.ts";
import { describeConnectionError, requestDirectly } from "../terminal/direct-request.ts";
import { describeRetry } from "./retry.ts";

/** Longest time for the request. */
const TIMEOUT_MS = 2_000;

/**
 * Finds out why a WebSocket could not be opened: repeats the upgrade request over plain HTTP, because the WebSocket
 * API hides the status and the body of a refusal. Returns a phrase for a message; never rejects. Gives up when `signal`
 * is aborted.
 */
export async function findRefusalReason(
  addr: URL,
  { token, tls }: { readonly token: string | undefined; readonly tls: ClientTls },
  signal: AbortSignal,
): Promise<string> {
  const url = new URL(addr);
  url.protocol = addr.protocol === "wss:" ? "https:" : "http:";
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    ...tokenHeaders(token),
    "Sec-WebSocket-Key": btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))),
  };
  try {
    const { status, body } = await requestDirectly(url, { timeoutMs: TIMEOUT_MS, headers, tls, signal });
    if (status === 101) return "the connection failed, but a second attempt succeeded";
    const reason = describeResponse(status, body);
    return status === 401 ? `${reason}; ${unauthorizedHint(token)}` : reason;
  } catch (error) {
    return await describeConnectionError(url, error);
  }
}

function describeResponse(status: number, body: string): string {
  try {
    const error: unknown = JSON.parse(body);
    if (typeof error === "object" && error !== null && "code" in error && "message" in error) {
      const retry = "retry_after_ms" in error ? describeRetry(error.retry_after_ms) : "";
      return `refused with HTTP ${status}, ${String(error.code)}: ${String(error.message)}${retry}`;
    }
  } catch {
    // The body is not an error object of this protocol; the status is enough.
  }
  if (status === 404) return "refused with HTTP 404: no such route";
  return status < 300 ? "the server there does not speak WebSocket" : `refused with HTTP ${status}`;
}
