import { ProtocolError } from "../protocol/errors.ts";
import { RateLimitedLog, type WarningLog } from "../telemetry/log/rate-limited-log.ts";
import type { AuthFamilies, UnauthorizedReason } from "../telemetry/metrics/families/auth.ts";

/** Interval between two warnings, so that strangers cannot fill the log. */
const WARNING_INTERVAL_MS = 10_000;

/** Who is refused, as far as it is known. */
export interface Refused {
  /** Network address; empty when it is not known. */
  readonly address: string;
  /** Name of the principal whose token was shown. */
  readonly caller?: string | undefined;
}

/** Refuses clients in words that are always the same. What was wrong is in the log and the metrics only. */
export class Refusals {
  readonly #log: RateLimitedLog;
  readonly #metrics: AuthFamilies | undefined;

  /** @param now returns milliseconds @param metrics undefined: nothing is counted */
  constructor(log: WarningLog, now: () => number, metrics: AuthFamilies | undefined) {
    this.#log = new RateLimitedLog(log, { now }, WARNING_INTERVAL_MS);
    this.#metrics = metrics;
  }

  /** Returns the error for a client, and reports why it is refused. */
  unauthorized(reason: UnauthorizedReason, { address, caller }: Refused): ProtocolError {
    this.#metrics?.unauthorized.with({ reason }).add();
    this.#log.warn("unauthorized", { reason, address, ...(caller !== undefined && { caller }) });
    return new ProtocolError("unauthorized", "found no valid token; allowed: Authorization: Bearer TOKEN, or a ticket");
  }
}
