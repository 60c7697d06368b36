import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";

import { codeOf, messageOf } from "../../lib/thrown.ts";

/** Most characters of a response that are kept. */
const MAX_BODY = 1024 * 1024;

/** The full name `localhost.` is this machine, too (RFC 6761, section 6.3), but a file of hosts does not have it. */
const LOCALHOST = { hostname: "localhost" };

export interface DirectRequest {
  /** Longest time for the response. */
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
}

export interface DirectResponse {
  /** 101 if the server has switched protocols; the connection is closed then. */
  readonly status: number;
  readonly body: string;
}

/**
 * Requests a URL from the server itself. Unlike `fetch`, it never uses a proxy that the environment names, and does not
 * follow redirects. Rejects with an error of the name `TimeoutError` or `AbortError`, or with that of the connection.
 */
export function requestDirectly(url: URL, { timeoutMs, headers, signal }: DirectRequest): Promise<DirectResponse> {
  const isSecure = url.protocol === "https:";
  // An agent of its own: NODE_USE_ENV_PROXY lets the global one use proxies.
  const agent = isSecure ? new SecureAgent() : new PlainAgent();
  const options = { agent, ...(headers && { headers }), ...(url.hostname === "localhost." && LOCALHOST) };
  const request = (isSecure ? secureRequest : plainRequest)(url, options);
  const end = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
  return new Promise<DirectResponse>((resolve, reject) => {
    if (end.aborted) reject(end.reason as Error);
    end.addEventListener("abort", () => reject(end.reason as Error), { once: true });
    request.on("error", reject);
    request.on("upgrade", (response) => resolve({ status: response.statusCode ?? 101, body: "" }));
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body = (body + text).slice(0, MAX_BODY);
      });
      const finish = () => resolve({ status: response.statusCode ?? 0, body });
      response.on("end", finish);
      response.on("error", finish);
    });
    request.end();
  }).finally(() => request.destroy());
}

/** What the codes of failed connections mean: those of Node.js and those of Bun. */
const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ConnectionRefused: "nothing listens there",
  ENOTFOUND: "unknown host",
  EAI_AGAIN: "unknown host: the name server does not respond",
  ConnectionError: "unknown host",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server there does not speak TLS; use http:// or ws://",
};

/** Describes why a request got no response, for a message. */
export function describeConnectionError(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no response";
  return CONNECTION_ERRORS[codeOf(error) ?? ""] ?? messageOf(error);
}
