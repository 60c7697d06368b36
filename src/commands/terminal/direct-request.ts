import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as SecureAgent, request as secureRequest } from "node:https";
import { connect as connectTls } from "node:tls";

import { type ClientTls, findTlsFault, type TlsFaultKind, tlsOptions } from "../../client/tls.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";

/** Most characters of a response that are kept. */
const MAX_BODY = 1024 * 1024;
/** Longest wait for a handshake that finds out whether a server expects TLS. */
const PROBE_MS = 2_000;

/** The full name `localhost.` is this machine, too (RFC 6761, section 6.3), but a file of hosts does not have it. */
const LOCALHOST = { hostname: "localhost" };

export interface DirectRequest {
  /** Longest time for the response. */
  readonly timeoutMs: number;
  /** Default: GET. A POST has no body. */
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** For `https:`. */
  readonly tls?: ClientTls | undefined;
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
export function requestDirectly(
  url: URL,
  { timeoutMs, method = "GET", headers, tls, signal }: DirectRequest,
): Promise<DirectResponse> {
  const isSecure = url.protocol === "https:";
  // An agent of its own: NODE_USE_ENV_PROXY lets the global one use proxies.
  const agent = isSecure ? new SecureAgent() : new PlainAgent();
  const secure = isSecure ? tlsOptions(tls) : {};
  const options = {
    agent,
    method,
    ...secure,
    ...(headers && { headers }),
    ...(url.hostname === "localhost." && LOCALHOST),
  };
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
  ECONNRESET: "the server closed the connection without a response",
};

/** What to do about a fault of TLS, as the end of a sentence. */
const REMEDIES: Readonly<Partial<Record<TlsFaultKind, string>>> = {
  authority: "; --ca FILE trusts its authority",
  plain: "; use http:// or ws://",
  certificate_required: "; give it with --cert and --key",
};

/**
 * Describes why a request to `url` got no response, for a message. Finds out whether a server that ended an unencrypted
 * connection expects TLS.
 */
export async function describeConnectionError(url: URL, error: unknown): Promise<string> {
  if (error instanceof Error && error.name === "TimeoutError") return "no response";
  const fault = findTlsFault(messageOf(error));
  if (fault !== undefined) return `${fault.message}${REMEDIES[fault.kind] ?? ""}`;
  const isSecure = url.protocol === "https:" || url.protocol === "wss:";
  const isReset = codeOf(error) === "ECONNRESET";
  if (isReset && !isSecure && (await speaksTls(url))) return "the server there speaks TLS; use https:// or wss://";
  if (isReset && isSecure) return "the server closed the connection: it may not accept the certificate of this client";
  return CONNECTION_ERRORS[codeOf(error) ?? ""] ?? messageOf(error);
}

/** Returns true if the server at a URL responds to a handshake of TLS, whatever its certificate is. */
async function speaksTls({ hostname, port }: URL): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const socket = connectTls({ host, port: Number(port || 80), rejectUnauthorized: false, timeout: PROBE_MS });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.on("secureConnect", () => resolve(true));
      for (const event of ["error", "close", "timeout"]) socket.on(event, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
