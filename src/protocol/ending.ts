import type { ErrorCode } from "./errors.ts";

/** Why a connection ends: the client asked for it, the server drains, or the code of a fatal error. */
export type Ending = ErrorCode | "stop" | "drain";

/** How a connection is closed. A WebSocket uses `code` and `reason`; other transports map `ending`, or only close. */
export interface Ended {
  readonly ending: Ending;
  /** WebSocket close code. */
  readonly code: number;
  readonly reason: string;
  /** Messages to send before the close. */
  readonly last?: readonly (string | Uint8Array)[];
}
