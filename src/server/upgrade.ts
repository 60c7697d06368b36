import type { OfferedModel, Opened, Route } from "../dialects/dialect.ts";
import { describeValue } from "../lib/excerpt.ts";
import { formatHost } from "../lib/host-name.ts";
import type { Caller } from "../protocol/caller.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Accepted } from "../session/connection.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import { type AdmissionHost, admitConnection, type Arrival } from "./admission.ts";
import type { Edge, Visit } from "./edge/edge.ts";

/** Milliseconds after which a client that was refused for the moment may try again, if the error does not say. */
const RETRY_AFTER_MS = 1_000;

/** A client that was refused would keep its connection, and with it a file descriptor of the server. */
const CLOSE = { connection: "close" };
const UPGRADE = { upgrade: "websocket", connection: "Upgrade, close" };

/** The server, as the upgrade of a connection uses it. */
export interface UpgradeHost extends AdmissionHost {
  readonly edge: Pick<Edge, "refusesUse">;
  /** Network address of the client; empty when it is not known. */
  address(request: Request): string;
  /** Models that a caller may use, its default first. */
  models(caller: Caller): readonly OfferedModel[];
  /** @param request undefined: the connection has none @param path a route, or the name of a dialect */
  trace(request: Request | undefined, path: string): ConnectionTrace;
  /** Hands the connection over to the transport. Returns false when the request cannot be upgraded. */
  upgrade(request: Request, headers: Record<string, string>, accepted: Accepted): boolean;
}

/** A request for a WebSocket. */
export interface Handshake {
  readonly request: Request;
  /** An error: a header that tells about the client is not valid. */
  readonly visit: Visit | ProtocolError;
  readonly route: Route;
  /** The one of the route's paths that is asked for. */
  readonly path: string;
}

/** A refusal and the headers that go with it. */
interface Refused {
  readonly error: ProtocolError;
  readonly headers?: Record<string, string>;
}

/**
 * Answers a request for a WebSocket: checks the name of the server, the origin and the handshake, then admits the
 * connection, and refuses over HTTP before a session exists. The answer is immediate unless admission takes its time.
 */
export function connect(asked: Handshake, host: UpgradeHost): Response | Promise<Response> {
  const { request, visit, route, path } = asked;
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
    if (visit instanceof ProtocolError) return answer({ error: visit });
    const foreign = host.edge.refusesUse(visit, host.config.auth.public_routes.includes(publicName(path)));
    if (foreign !== undefined) return answer({ error: foreign });
    const handshake = checkHandshake(request, route);
    if ("error" in handshake) return answer(handshake);
    const open = (accepted: Accepted): ProtocolError | undefined => {
      const headers = { ...handshake.answerHeaders, ...route.headers?.(accepted.id, accepted.opened) };
      if (host.upgrade(request, headers, accepted)) return undefined;
      const message = "the WebSocket handshake is not valid (Sec-WebSocket-Key)";
      return new ProtocolError("invalid_request", message);
    };
    const choose = (caller: Caller): Opened => route.open(path, request, host.config, host.models(caller));
    const refusal = admitConnection({ arrival: arrivalOf(asked, visit, host), trace, choose, open }, host);
    const finish = (error: ProtocolError | undefined): Response => answer(error && { error });
    return refusal instanceof Promise ? refusal.then(finish).catch(failed) : finish(refusal);
  } catch (error) {
    return failed(error);
  }
}

/** The status of the answer that refuses a request. */
export function refusalStatus({ row }: Pick<ProtocolError, "row">): number {
  // Errors of a start have no status of their own: usually it comes after the upgrade.
  const { retryable, status = retryable ? 503 : 400 } = row;
  return status;
}

/** The answer that refuses a request: status by the table of errors, body as the route's dialect has it. */
export function refusalOf(
  error: ProtocolError,
  route: Pick<Route, "refuse">,
  headers: Record<string, string> = {},
): Response {
  const { retryable, retryAfterMs = RETRY_AFTER_MS } = error.row;
  const status = refusalStatus(error);
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

/**
 * The name of a path in `auth.public_routes`. The front page is public, usually; the sessions at the same path are not,
 * and no name there is theirs.
 */
function publicName(path: string): string {
  return path === "/" ? "" : path;
}

function arrivalOf({ request, route, path }: Handshake, visit: Visit, { config }: UpgradeHost): Arrival {
  const { address, host, origin, tls, isLocal } = visit;
  return {
    transport: "websocket",
    dialect: route.dialect,
    host: host && formatHost(host),
    origin,
    path: publicName(path),
    credentials: route.credentials(request, config.auth.query_tokens === "accept"),
    tls,
    address,
    isLocal,
  };
}

/** Returns the headers that choose the subprotocol. */
function checkHandshake(request: Request, route: Route): { answerHeaders: Record<string, string> } | Refused {
  const { headers, method } = request;
  const upgrades = hasToken(headers.get("upgrade"), "websocket") && hasToken(headers.get("connection"), "upgrade");
  // HEAD comes here as GET does.
  if (!upgrades || method !== "GET") {
    const message =
      "this is a WebSocket route; allowed: a GET with Upgrade: websocket and Connection: Upgrade; " +
      "a proxy in between must pass both on";
    return { error: new ProtocolError("upgrade_required", message), headers: UPGRADE };
  }
  if (headers.get("sec-websocket-version") !== "13") {
    const found = headers.get("sec-websocket-version");
    const message = `Sec-WebSocket-Version: found ${describeValue(found ?? undefined)}; allowed: 13`;
    const versions = { ...UPGRADE, "sec-websocket-version": "13" };
    return { error: new ProtocolError("upgrade_required", message), headers: versions };
  }
  if (hasBody(headers)) {
    // Bun 1.4.5 upgrades it, and loses the frames that come in the same packet as the body.
    return { error: new ProtocolError("invalid_request", "the WebSocket handshake has a body; allowed: none") };
  }
  const chosen = route.choose(listOf(headers.get("sec-websocket-protocol")));
  if (chosen instanceof ProtocolError) return { error: chosen };
  return { answerHeaders: chosen === undefined ? {} : { "sec-websocket-protocol": chosen } };
}

function hasBody(headers: Headers): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? "0") !== 0;
}

/** The parts of a comma-separated header. */
function listOf(header: string | null): string[] {
  return header === null ? [] : header.split(",").map((part) => part.trim());
}

/** Returns true when a comma-separated header has this token, in any case. */
export function hasToken(header: string | null, token: string): boolean {
  return listOf(header).some((part) => part.toLowerCase() === token);
}
