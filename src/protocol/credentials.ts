/** What a client shows to be admitted. */
export interface Credentials {
  /** A secret that was given to the client. */
  readonly token?: string | undefined;
  /** A secret for one connection within a short time. */
  readonly ticket?: string | undefined;
}

/** What a subprotocol that carries a ticket begins with. */
const TICKET_PROTOCOL = "ticket.";

/** Returns the token of an `Authorization: Bearer` header; undefined: there is none, or another scheme. */
export function bearerToken(headers: Headers): string | undefined {
  return /^bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "")?.[1];
}

/** Returns the header that shows a token. */
export function authorization(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

/** Returns true for an offered subprotocol that only carries a ticket, which is never selected. */
function isTicketProtocol(name: string): boolean {
  return name.toLowerCase().startsWith(TICKET_PROTOCOL);
}

/** Returns the subprotocol that carries a ticket. */
export function ticketProtocol(ticket: string): string {
  return TICKET_PROTOCOL + ticket;
}

/** Returns the ticket of a request: that of a subprotocol `ticket.VALUE`, or else of the query `?ticket=VALUE`. */
export function ticketOf({ headers, url }: Pick<Request, "headers" | "url">): string | undefined {
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  const carrier = offered.find(isTicketProtocol);
  if (carrier !== undefined) return carrier.slice(TICKET_PROTOCOL.length);
  return new URL(url).searchParams.get("ticket") ?? undefined;
}
