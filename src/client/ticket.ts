import { authorization } from "../protocol/credentials.ts";
import { errorIn } from "./error-body.ts";
import type { ErrorEvent } from "./types/events.ts";

/** The server gave no ticket. */
export class TicketRefused extends Error {
  override readonly name = "TicketRefused";
  /** The HTTP status, such as 401. */
  readonly status: number;
  /** What the server says; undefined: it was not this protocol that answered. */
  readonly event: ErrorEvent | undefined;

  constructor(status: number, event: ErrorEvent | undefined) {
    super(event === undefined ? `no ticket: HTTP ${status}` : `no ticket: ${event.code}: ${event.message}`);
    this.status = status;
    this.event = event;
  }
}

/**
 * Requests a ticket, which admits one connection within 30 s: a server with the token does that for a web page, whose
 * WebSocket cannot send the token. Rejects with TicketRefused, with the error of `fetch`, or with the reason of
 * `signal`.
 * @param server its address, such as `https://streamer.example`, or that of a stream on it
 */
export async function requestTicket(
  server: string | URL,
  token: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const url = new URL(server);
  const base = /^(.*?)(?:\/api\/v1\/[^/]*)?\/*$/.exec(url.pathname)?.[1] ?? "";
  const address = `${url.protocol.replace("ws", "http")}//${url.host}${base}/api/v1/tickets`;
  const response = await fetch(address, { method: "POST", headers: authorization(token), ...(signal && { signal }) });
  const text = await response.text();
  if (!response.ok) throw new TicketRefused(response.status, errorIn(text));
  const body: unknown = JSON.parse(text);
  if (typeof body === "object" && body !== null && "ticket" in body && typeof body.ticket === "string") {
    return body.ticket;
  }
  throw new TicketRefused(response.status, undefined);
}
