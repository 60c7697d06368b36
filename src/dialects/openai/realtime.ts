import type { InForce } from "./session-object.ts";
import type { SettingsHost } from "./session-settings.ts";

/** What a connection has been opened with. */
export interface Realtime extends SettingsHost {
  /** Id of the session. */
  readonly id: string;
  /** Seconds since 1970; undefined: the session does not expire. */
  readonly expiresAt: number | undefined;
  readonly isBeta: boolean;
  /** What is in force before the first stream has been started. */
  readonly actual: InForce;
}
