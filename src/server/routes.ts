import { Hono } from "hono";

import { type Pattern, PATTERNS } from "../pipeline/patterns.ts";
import { asyncapi } from "../protocol/asyncapi.ts";
import { type ErrorCode, errorEvent, ProtocolError } from "../protocol/errors.ts";
import { PROTOCOL_VERSION, SUBPROTOCOL } from "../protocol/version.ts";
import type { RenderedMetrics } from "../telemetry/metrics/exposition.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";

/** Seconds after which a client that was refused for the moment may try again. */
const RETRY_AFTER_S = 1;

const UPGRADE = { upgrade: "websocket", connection: "Upgrade" };

/** What the routes ask of the server around them. */
export interface Host {
  readonly version: string;
  /** Why no stream can be opened now; undefined: one can. */
  readonly unready: { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Why this address may not connect now. */
  refusal(request: Request): { readonly code: ErrorCode; readonly message: string } | undefined;
  /** Somebody asks for a connection. */
  trace(request: Request, pattern: Pattern): ConnectionTrace;
  /** Hands the connection over to the WebSocket handler. False: the request cannot be upgraded. */
  upgrade(request: Request, pattern: Pattern, headers: Record<string, string>, trace: ConnectionTrace): boolean;
  /** A connection has been refused. */
  refused(code: ErrorCode): void;
  /** The metrics, in the format that is accepted. */
  metrics(accept: string | null): Promise<RenderedMetrics>;
  /** Models, formats and limits, for `info`. */
  describe(): Record<string, unknown>;
}

const ROUTES = ["/api/v1/health", "/api/v1/ready", "/api/v1/info", "/api/v1/asyncapi.json", "/metrics"];

/** The WebSocket routes for the API description. */
const CHANNELS = Object.values(PATTERNS).map(({ name, description }) => ({
  name,
  address: `/api/v1/${name}`,
  description,
}));

/** The HTTP routes. A WebSocket that is refused is refused here, before anything is made for it. */
export function createApp(host: Host): Hono {
  const app = new Hono();
  app.get("/", (c) => c.text(frontPage(host)));
  app.get("/api/v1/health", (c) => c.json({ status: "healthy" }));
  app.get("/api/v1/ready", (c) =>
    host.unready ? refuse(host.unready.code, host.unready.message) : c.json({ status: "ready" }),
  );
  app.get("/api/v1/info", (c) =>
    c.json({ version: host.version, protocol_version: PROTOCOL_VERSION, ...host.describe() }),
  );
  app.get("/api/v1/asyncapi.json", (c) => c.json(asyncapi(host.version, CHANNELS)));
  app.get("/metrics", async (c) => {
    const { contentType, body } = await host.metrics(c.req.header("accept") ?? null);
    return c.body(body, 200, { "content-type": contentType });
  });
  for (const pattern of Object.values(PATTERNS)) {
    app.get(`/api/v1/${pattern.name}`, (c) => connect(c.req.raw, pattern, host));
  }
  // Bun 1.4.5 leaves the address without a host when the Host header cannot be one.
  app.notFound((c) =>
    URL.canParse(c.req.url)
      ? c.text(`There is nothing at ${new URL(c.req.url).pathname}.\n\n${frontPage(host)}`, 404)
      : refuse("invalid_request", "Host: found what cannot be a host; allowed: a name or address, and a port"),
  );
  // Faults are logged where all are, by the server, and not by Hono.
  app.onError((error) => {
    throw error;
  });
  return app;
}

function connect(request: Request, pattern: Pattern, host: Host): Response {
  const trace = host.trace(request, pattern);
  const refusal = upgrade(request, pattern, host, trace);
  if (refusal === undefined) {
    trace.responded(101);
    return new Response(null);
  }
  host.refused(refusal.code);
  const response = refuse(refusal.code, refusal.message, refusal.headers);
  trace.responded(response.status, refusal.code);
  return response;
}

interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly headers?: Record<string, string>;
}

/** Why the connection is refused; undefined: it is the WebSocket handler's now. */
function upgrade(request: Request, pattern: Pattern, host: Host, trace: ConnectionTrace): Refusal | undefined {
  const { headers } = request;
  if (!names(headers.get("upgrade"), "websocket") || !names(headers.get("connection"), "upgrade")) {
    return {
      code: "upgrade_required",
      message: "this route speaks WebSocket; allowed: a request with Upgrade: websocket and Connection: Upgrade",
      headers: UPGRADE,
    };
  }
  if (headers.get("sec-websocket-version") !== "13") {
    return {
      code: "upgrade_required",
      message: "the version of the WebSocket protocol; allowed: Sec-WebSocket-Version: 13",
      headers: { ...UPGRADE, "sec-websocket-version": "13" },
    };
  }
  const offered = headers.get("sec-websocket-protocol");
  if (offered !== null && !names(offered, SUBPROTOCOL)) {
    const found = offered.slice(0, 100);
    return {
      code: "invalid_request",
      message: `Sec-WebSocket-Protocol: found "${found}"; allowed: ${SUBPROTOCOL}, or none`,
    };
  }
  const refusal = host.unready ?? host.refusal(request);
  if (refusal !== undefined) return refusal;
  const chosen: Record<string, string> = offered === null ? {} : { "sec-websocket-protocol": SUBPROTOCOL };
  if (host.upgrade(request, pattern, chosen, trace)) return undefined;
  return { code: "invalid_request", message: "the WebSocket handshake is not valid (Sec-WebSocket-Key)" };
}

/** Whether a comma-separated header has this token, in any case. */
function names(header: string | null, token: string): boolean {
  return (
    header
      ?.toLowerCase()
      .split(",")
      .some((part) => part.trim() === token.toLowerCase()) ?? false
  );
}

function refuse(code: ErrorCode, message: string, headers: Record<string, string> = {}): Response {
  const error = new ProtocolError(code, message);
  const { status = 500, retryable } = error.row;
  return Response.json(errorEvent(error), {
    status,
    headers: { ...headers, ...(retryable && { "retry-after": String(RETRY_AFTER_S) }) },
  });
}

function frontPage(host: Host): string {
  const streams = Object.values(PATTERNS).map(({ name }) => `  ws  /api/v1/${name}`);
  const routes = ROUTES.map((route) => `  GET ${route}`);
  return `Streamer ${host.version}\n\nAudio in, results out, over a WebSocket:\n${streams.join("\n")}\n\nAbout this server:\n${routes.join("\n")}\n`;
}
