import type { TokenListError } from "../../auth/token-list.ts";
import type { Config } from "../../config/config.ts";
import { describeValue } from "../../lib/excerpt.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";
import { ListenError } from "../../server/listen-error.ts";

/** Returns a text about why a token file cannot be used. */
export function tokenFailure({ problems }: TokenListError): string {
  return `invalid tokens (auth.tokens):\n  ${problems.join("\n  ")}`;
}

/** Returns a sentence about why the server cannot listen. */
export function listenFailure({ host, port }: Config["server"], error: unknown): string {
  if (error instanceof ListenError) {
    const { section, port, cause } = error;
    if (codeOf(cause) !== "EADDRINUSE") return `${error.message}: ${messageOf(cause)}`;
    return `${section}.port: found ${port}, which is in use; allowed: a free port, or 0 for none`;
  }
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use; --port 0 selects a free port`;
    case "EACCES":
      return `server.port: found ${port}, which needs privileges; allowed: 0, or a port from 1024 on`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EINVAL":
    // The host cannot be part of a URL (Bun 1.4.5).
    case "ERR_INVALID_ARG_TYPE":
      return `server.host: found ${describeValue(host)}; allowed: an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0`;
    default:
      return `cannot listen on ${host.includes(":") ? `[${host}]` : host}:${port}: ${messageOf(error)}`;
  }
}
