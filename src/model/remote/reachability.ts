import { connect } from "node:net";

import { codeOf } from "../../lib/thrown.ts";
import { EngineError } from "./transport.ts";

/**
 * Opens a TCP connection and closes it. `fetch` (Bun 1.4.5) has no limit of its own for connecting, so that a host that
 * is gone would take the time of a whole call.
 * @throws EngineError of fault `refused`, or as `signal` says
 */
export function checkReachable(url: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80), timeout: timeoutMs });
    const end = (settle: () => void): void => {
      signal.removeEventListener("abort", abort);
      socket.destroy();
      settle();
    };
    const abort = (): void => end(() => reject(abortError(signal)));
    signal.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => end(resolve));
    socket.once("error", (error) => end(() => reject(new EngineError("refused", refusal(codeOf(error))))));
    socket.once("timeout", () => end(() => reject(new EngineError("refused", `no connection within ${timeoutMs} ms`))));
    if (signal.aborted) abort();
  });
}

/** Returns the error of a call that its signal has ended. */
export function abortError({ reason }: AbortSignal): EngineError {
  if (reason instanceof Error && reason.name === "TimeoutError") return new EngineError("timeout", "no answer in time");
  return new EngineError("aborted", "the answer is not wanted any more");
}

/** Returns the words for a connection that could not be opened. @param code of the error, such as ECONNREFUSED */
export function refusal(code: string | undefined): string {
  return REFUSALS[code ?? ""] ?? `no connection${code === undefined ? "" : ` (${code})`}`;
}

const REFUSALS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name of the host is unknown",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
};
