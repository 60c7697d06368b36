import type { ErrorCode } from "./errors.ts";

/** Reason why a connection ends: a stop of the client, a drain of the server, or the code of a fatal error. */
export type Ending = ErrorCode | "stop" | "drain";

/** The close of a connection. A WebSocket uses `code` and `reason`; other transports map `ending`, or only close. */
export interface Ended {
  readonly ending: Ending;
  /** WebSocket close code. */
  readonly code: number;
  readonly reason: string;
  /** Messages to send before the close. */
  readonly last?: readonly (string | Uint8Array)[];
}
