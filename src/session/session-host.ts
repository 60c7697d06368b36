import type { Turns } from "./turns.ts";

/** A session that is looked at often. */
export interface Watched {
  /** Returns false when it need not be called again. @param now milliseconds */
  tick(now: number): boolean;
}

/** What all sessions of a server share. */
export interface SessionHost {
  readonly turns: Turns;
  /** Lets `tick` be called about ten times a second. */
  watch(session: Watched): void;
}
