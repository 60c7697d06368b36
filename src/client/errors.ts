import type { ErrorEvent } from "../protocol/events.ts";

/**
 * - `cannot_connect`: nothing listens, or the server refused the upgrade.
 * - `closed`: the connection ended within a stream, or is used after its end.
 * - `protocol`: the server sent a message that the protocol does not allow.
 * - `not_read`: events arrived faster than they were read.
 * - `timeout`: the server did not respond in time. The library sets no time limits itself.
 */
export type ConnectionErrorCode = "cannot_connect" | "closed" | "protocol" | "not_read" | "timeout";

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

/** The server refused a `start` with an error event. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly event: ErrorEvent;

  constructor(event: ErrorEvent) {
    super(`${event.code}: ${event.message}`);
    this.event = event;
  }
}
