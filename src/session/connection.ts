import type { Opened } from "../dialects/dialect.ts";
import type { Caller } from "../protocol/caller.ts";
import type { Ended } from "../protocol/ending.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import type { Place } from "./session-places.ts";

/** Why a transport has closed a connection itself: the client has broken a limit, or the rules of the transport. */
export type Violation = ErrorCode | "protocol_error";

/**
 * A transport's connection as a session uses it. The transport calls the session in turn: `receive` for each message,
 * `writable` when buffered messages have left, `finished` when the client sends no more, `disconnected` when the
 * connection is gone.
 */
export interface Connection {
  /** Sends a message, or buffers it. Messages leave in order. */
  send(message: string | Uint8Array): void;
  /** Stops reading, so that the client's network buffers fill up. */
  pause(): void;
  resume(): void;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** Sends what is buffered, and `end.last`, then closes. The session receives nothing afterwards. */
  close(end: Ended): void;
}

/** A connection that has been accepted. */
export interface Accepted {
  /** Id of the session. */
  readonly id: string;
  readonly caller: Caller;
  readonly place: Place;
  readonly opened: Opened;
  readonly trace: ConnectionTrace;
}
