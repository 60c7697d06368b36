import type { Opened, Route } from "../dialects/dialect.ts";
import { describeValue } from "../lib/excerpt.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Accepted } from "../session/connection.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import { type AdmissionHost, admitConnection, type Arrival } from "./admission.ts";

/** Milliseconds after which a client that was refused for the moment may try again, if the error does not say. */
const RETRY_AFTER_MS = 1_000;

const UPGRADE = { upgrade: "websocket", connection: "Upgrade" };
/** A client that was refused would keep its connection, and with it a file descriptor of the server. */
const CLOSE = { connection: "close" };

/** The server, as the upgrade of a connection uses it. */
export interface UpgradeHost extends AdmissionHost {
  /** Network address of the client; empty when it is not known. */
  address(request: Request): string;
  trace(request: Request, path: string): ConnectionTrace;
  /** Hands the connection over to the transport. Returns false when the request cannot be upgraded. */
  upgrade(request: Request, headers: Record<string, string>, accepted: Accepted): boolean;
}

/** A refusal and the headers that go with it. */
interface Refused {
  readonly error: ProtocolError;
  readonly headers?: Record<string, string>;
}

/**
 * Answers a request for a WebSocket: checks the handshake, then admits the connection, and refuses over HTTP before a
 * session exists. The answer is immediate unless admission takes its time.
 */
export function connect(request: Request, route: Route, path: string, host: UpgradeHost): Response | Promise<Response> {
  const trace = host.trace(request, path);
  const answer = (refused: Refused | undefined): Response => {
    const response =
      refused === undefined ? new Response(null) : refusalOf(refused.error, route, { ...CLOSE, ...refused.headers });
    if (refused !== undefined) host.refused(refused.error.code);
    trace.responded(refused === undefined ? 101 : response.status, refused?.error.code);
    return response;
  };
  const failed = (error: unknown): never => {
    host.refused("internal");
    trace.responded(500, "internal");
    throw error;
  };
  try {
    const handshake = checkHandshake(request, route);
    if ("error" in handshake) return answer(handshake);
    const open = (accepted: Accepted): ProtocolError | undefined => {
      const headers = { ...handshake.answerHeaders, ...route.headers?.(accepted.id) };
      if (host.upgrade(request, headers, accepted)) return undefined;
      const message = "the WebSocket handshake is not valid (Sec-WebSocket-Key)";
      return new ProtocolError("invalid_request", message);
    };
    const choose = (): Opened => route.open(path, request, host.config);
    const refusal = admitConnection({ arrival: arrivalOf(request, route, path, host), trace, choose, open }, host);
    const finish = (error: ProtocolError | undefined): Response => answer(error && { error });
    return refusal instanceof Promise ? refusal.then(finish).catch(failed) : finish(refusal);
  } catch (error) {
    return failed(error);
  }
}

/** The answer that refuses a request: status by the table of errors, body as the route's dialect has it. */
export function refusalOf(
  error: ProtocolError,
  route: Pick<Route, "refuse">,
  headers: Record<string, string> = {},
): Response {
  const { retryable, retryAfterMs = RETRY_AFTER_MS, status = retryable ? 503 : 500 } = error.row;
  const seconds = Math.ceil((error.retry_after_ms ?? retryAfterMs) / 1000);
  return Response.json(route.refuse(error), {
    status,
    headers: {
      ...headers,
      ...(retryable && { "retry-after": String(seconds) }),
      ...(status === 401 && { "www-authenticate": "Bearer" }),
    },
  });
}

function arrivalOf(request: Request, route: Route, path: string, host: UpgradeHost): Arrival {
  const { headers, url } = request;
  return {
    transport: "websocket",
    dialect: route.dialect,
    host: headers.get("host") ?? undefined,
    origin: headers.get("origin") ?? undefined,
    path,
    credentials: route.credentials(request, host.config.auth.query_tokens === "accept"),
    tls: url.startsWith("https:"),
    address: host.address(request),
  };
}

/** Returns the headers that choose the subprotocol. */
function checkHandshake({ headers }: Request, route: Route): { answerHeaders: Record<string, string> } | Refused {
  if (!hasToken(headers.get("upgrade"), "websocket") || !hasToken(headers.get("connection"), "upgrade")) {
    const message =
      "this is a WebSocket route; allowed: a request with Upgrade: websocket and Connection: Upgrade; " +
      "a proxy in between must pass both on";
    return { error: new ProtocolError("upgrade_required", message), headers: UPGRADE };
  }
  if (headers.get("sec-websocket-version") !== "13") {
    const found = headers.get("sec-websocket-version");
    const message = `Sec-WebSocket-Version: found ${describeValue(found ?? undefined)}; allowed: 13`;
    const versions = { ...UPGRADE, "sec-websocket-version": "13" };
    return { error: new ProtocolError("upgrade_required", message), headers: versions };
  }
  const chosen = route.choose(listOf(headers.get("sec-websocket-protocol")));
  if (chosen instanceof ProtocolError) return { error: chosen };
  return { answerHeaders: chosen === undefined ? {} : { "sec-websocket-protocol": chosen } };
}

/** The parts of a comma-separated header. */
function listOf(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((part) => part.trim());
}

/** Returns true when a comma-separated header has this token, in any case. */
function hasToken(header: string | null, token: string): boolean {
  return listOf(header).some((part) => part.toLowerCase() === token);
}
