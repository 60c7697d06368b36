import type { Config } from "../config/config.ts";
import type { Opened, Route } from "../dialects/dialect.ts";
import { describeValue } from "../lib/excerpt.ts";
import type { Caller } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Accepted } from "../session/connection.ts";
import { newSessionId } from "../session/sessions.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import type { Arrival } from "./admission.ts";

/** Seconds after which a client that was refused for the moment may try again. */
const RETRY_AFTER_S = 1;

const UPGRADE = { upgrade: "websocket", connection: "Upgrade" };

/** The server, as the upgrade of a connection uses it. */
export interface UpgradeHost {
  readonly config: Config;
  /** Returns why no caller can open a session now; undefined when one can. */
  unavailable(): ProtocolError | undefined;
  /** Network address of the client; empty when it is not known. */
  address(request: Request): string;
  admit(arrival: Arrival): Caller | ProtocolError | Promise<Caller | ProtocolError>;
  /** Returns why this caller cannot open a session now; undefined when it can. */
  refusal(caller: Caller): ProtocolError | undefined;
  trace(request: Request, path: string): ConnectionTrace;
  /** Hands the connection over to the transport. Returns false when the request cannot be upgraded. */
  upgrade(request: Request, headers: Record<string, string>, accepted: Accepted): boolean;
  /** A connection has been refused. */
  refused(code: string): void;
}

/** A request that has passed all checks but admission. */
interface Checked {
  readonly opened: Opened;
  readonly answerHeaders: Record<string, string>;
}

/** A refusal and the headers that go with it. */
interface Refused {
  readonly error: ProtocolError;
  readonly headers?: Record<string, string>;
}

/**
 * Answers a request for a WebSocket: checks the handshake, the server, the route and the caller, in this order, and
 * refuses over HTTP before a session exists. The answer is immediate unless admission takes its time.
 */
export function connect(request: Request, route: Route, path: string, host: UpgradeHost): Response | Promise<Response> {
  const trace = host.trace(request, path);
  const answer = (refused: Refused | undefined): Response => {
    const response = refused === undefined ? new Response(null) : refusalOf(refused.error, route, refused.headers);
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
    const checked = check(request, route, path, host);
    if ("error" in checked) return answer(checked);
    const finish = (admitted: Caller | ProtocolError): Response =>
      answer(upgrade(request, route, checked, admitted, trace, host));
    const admitted = host.admit(arrivalOf(request, route, host));
    return admitted instanceof Promise ? admitted.then(finish).catch(failed) : finish(admitted);
  } catch (error) {
    return failed(error);
  }
}

/**
 * Opens the session of an admitted caller. Returns why it is refused after all; undefined: the transport has the
 * connection.
 */
function upgrade(
  request: Request,
  route: Route,
  { opened, answerHeaders }: Checked,
  admitted: Caller | ProtocolError,
  trace: ConnectionTrace,
  host: UpgradeHost,
): Refused | undefined {
  if (admitted instanceof ProtocolError) return { error: admitted };
  const error = host.refusal(admitted);
  if (error !== undefined) return { error };
  const id = newSessionId();
  const accepted: Accepted = { id, caller: admitted, opened, trace };
  if (host.upgrade(request, { ...answerHeaders, ...route.headers?.(id) }, accepted)) return undefined;
  const message = "the WebSocket handshake is not valid (Sec-WebSocket-Key)";
  return { error: new ProtocolError("invalid_request", message) };
}

function check(request: Request, route: Route, path: string, host: UpgradeHost): Checked | Refused {
  const handshake = checkHandshake(request, route);
  if ("error" in handshake) return handshake;
  const unavailable = host.unavailable();
  if (unavailable !== undefined) return { error: unavailable };
  try {
    return { ...handshake, opened: route.open(path, request, host.config) };
  } catch (error) {
    if (error instanceof ProtocolError) return { error };
    throw error;
  }
}

/** The answer that refuses a request: status by the table of errors, body as the route's dialect has it. */
export function refusalOf(
  error: ProtocolError,
  route: Pick<Route, "refuse">,
  headers: Record<string, string> = {},
): Response {
  const { status = 500, retryable } = error.row;
  return Response.json(route.refuse(error), {
    status,
    headers: { ...headers, ...(retryable && { "retry-after": String(RETRY_AFTER_S) }) },
  });
}

function arrivalOf(request: Request, route: Route, host: UpgradeHost): Arrival {
  const { headers, url } = request;
  return {
    transport: "websocket",
    dialect: route.dialect,
    host: headers.get("host") ?? undefined,
    origin: headers.get("origin") ?? undefined,
    credentials: route.credentials(request),
    tls: url.startsWith("https:"),
    address: host.address(request),
  };
}

function checkHandshake({ headers }: Request, route: Route): Pick<Checked, "answerHeaders"> | Refused {
  if (!hasToken(headers.get("upgrade"), "websocket") || !hasToken(headers.get("connection"), "upgrade")) {
    const message = "this is a WebSocket route; allowed: a request with Upgrade: websocket and Connection: Upgrade";
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
