import type { ErrorEvent } from "../protocol/events.ts";

/**
 * `cannot_connect`: nothing listens, or the upgrade was refused; `closed`: the connection ended while something was owed;
 * `protocol`: the server sent what is not in the protocol; `not_read`: events came faster than they were read.
 */
export type ConnectionErrorCode = "cannot_connect" | "closed" | "protocol" | "not_read";

export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code: ConnectionErrorCode;
  /** The WebSocket close code and reason, where there was one. */
  readonly closeCode: number | undefined;
  readonly closeReason: string | undefined;

  constructor(code: ConnectionErrorCode, message: string, closeCode?: number, closeReason?: string) {
    super(message);
    this.code = code;
    this.closeCode = closeCode;
    this.closeReason = closeReason;
  }
}

/** The server answered `start` with an error. */
export class StartRefused extends Error {
  override readonly name = "StartRefused";
  readonly event: ErrorEvent;

  constructor(event: ErrorEvent) {
    super(`${event.code}: ${event.message}`);
    this.event = event;
  }
}
