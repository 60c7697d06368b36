import type { MetricRegistry } from "../metric-registry.ts";

/** What was wrong when a client was refused; the metric `streamer_unauthorized_total` explains each. */
export const UNAUTHORIZED_REASONS = [
  "no_token",
  "unknown_token",
  "expired_token",
  "operator_token",
  "client_token",
  "ticket",
] as const;
export type UnauthorizedReason = (typeof UNAUTHORIZED_REASONS)[number];

/** Tokens of clients. Without a token file there are no series. */
export function authFamilies(registry: MetricRegistry) {
  return {
    tokens: registry.gauge("streamer_tokens", "Tokens in use, from the file auth.tokens."),
    fileRefused: registry.gauge(
      "streamer_token_file_refused",
      "1 while the file auth.tokens is missing or not valid, and the tokens of before are in use; else 0.",
    ),
    unauthorized: registry.counter(
      "streamer_unauthorized_total",
      "Requests and connections refused with status 401: no_token, unknown_token, expired_token, operator_token (which " +
        "opens no sessions), client_token (on a page for operators), ticket (unknown, too old or used).",
      ["reason"],
    ),
  };
}

export type AuthFamilies = ReturnType<typeof authFamilies>;
