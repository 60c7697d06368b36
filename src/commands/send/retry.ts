import { formatNumber } from "../terminal/numbers.ts";

/**
 * Formats `retry_after_ms` of an error as the end of a sentence; empty if the value is no time, which is for older
 * servers and those of others.
 */
export function describeRetry(retryAfterMs: unknown): string {
  if (typeof retryAfterMs !== "number" || !(retryAfterMs >= 0 && Number.isFinite(retryAfterMs))) return "";
  return retryAfterMs === 0 ? "; try again at once" : `; try again after ${formatNumber(retryAfterMs / 1000)} s`;
}
