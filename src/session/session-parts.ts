import type { Dialect } from "../dialects/dialect.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { Services } from "../stream/services.ts";
import type { Conversation } from "./conversation.ts";
import type { Outbox } from "./outbox.ts";
import type { ReadGate } from "./read-gate.ts";
import type { SessionLog } from "./session-log.ts";

/** The parts of a session that its end concerns. */
export interface SessionParts {
  readonly conversation: Conversation;
  readonly dialect: Dialect;
  readonly gate: ReadGate;
  readonly outbox: Outbox;
  readonly log: SessionLog;
  readonly services: Services;
  /** Returns true while a call is open that the connection watches. */
  readonly watchesOpenCalls: () => boolean;
  /** Sends an event to the client. */
  readonly send: (event: ServerEvent) => void;
}
