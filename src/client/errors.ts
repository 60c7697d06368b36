import type { ErrorEvent } from "./types/events.ts";

/**
 * - `cannot_connect`: nothing listens, or the server refused the upgrade.
 * - `closed`: the connection ended within a stream, or is used after its end.
 * - `protocol`: the server sent a message that the protocol does not allow.
 * - `not_read`: events arrived faster than they were read.
 * - `timeout`: the server did not respond in time. The library sets no time limits itself.
 * - `unsupported`: an option needs something that the WebSocket of this run time cannot do. Trying again does not help.
 */
export type ConnectionErrorCode = "cannot_connect" | "closed" | "protocol" | "not_read" | "timeout" | "unsupported";

/** There is no connection, or it has ended. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ConnectionErrorCode;
  /** The WebSocket close code and reason; undefined if the connection was not closed by the server. */
  readonly closeCode: number | undefined;
  readonly closeReason: string | undefined;

  constructor(code: ConnectionErrorCode, message: string, closeCode?: number, closeReason?: string) {
    super(message);
    this.code = code;
    this.closeCode = closeCode;
    this.closeReason = closeReason;
  }
}

/** The handshake of TLS failed. The message says why. */
export class HandshakeFailed extends ConnectionError {
  constructor(message: string) {
    super("cannot_connect", message);
  }
}

/** The server, or a proxy, refused the connection with an HTTP status. Known on Node.js; other run times hide it. */
export class ConnectionRefused extends ConnectionError {
  /** The HTTP status, such as 401. */
  readonly status: number;
  /** What the server says; undefined: it was not this protocol that answered. */
  readonly event: ErrorEvent | undefined;

  constructor(url: string, status: number, event: ErrorEvent | undefined) {
    const why = event === undefined ? "" : `, ${event.code}: ${event.message}`;
    super("cannot_connect", `cannot connect to ${url}: refused with HTTP ${status}${why}`);
    this.status = status;
    this.event = event;
  }
}

/** The server refused a `start` with an error event. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly event: ErrorEvent;

  constructor(event: ErrorEvent, options?: { readonly cause?: unknown }) {
    super(`${event.code}: ${event.message}`, options);
    this.event = event;
  }
}
