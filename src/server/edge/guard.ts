import type { MiddlewareHandler } from "hono";

import { errorEvent } from "../../protocol/error-event.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { refusalOf } from "../upgrade.ts";
import type { Edge, Visit } from "./edge.ts";

/** What the handler of a route has beside the request. */
export interface GuardedEnv {
  readonly Bindings: { readonly visit: Visit | ProtocolError };
}

/** Returns the handler that lets requests of a path pass, or answers them. */
export type PathGuard = (path: string) => MiddlewareHandler<GuardedEnv>;

/** Returns the network address of a client; empty when it is not known. */
export function addressOf(visit: Visit | ProtocolError): string {
  return visit instanceof ProtocolError ? "" : visit.address;
}

/** Methods that change nothing. A page may send them anywhere, but cannot read the answer without permission. */
const READS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** Headers that pages of other origins may send. They are read, or without effect, as those of SDKs are. */
const ALLOWED_HEADERS = "authorization, content-type, traceparent, tracestate";
/** Headers with which the SDKs of OpenAI (made by Stainless) and Deepgram (by Fern) describe themselves and requests. */
const SDK_HEADER =
  /^(?:x-(?:stainless|fern|deepgram)-[a-z0-9-]{1,64}|openai-(?:organization|project|beta)|user-agent|idempotency-key)$/;
/** Most headers of one request that are permitted by their names. */
const MAX_HEADERS = 32;

const PREFLIGHT = {
  "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
  // Pages of public addresses that use a server of a private network.
  "access-control-allow-private-network": "true",
  "access-control-max-age": "600",
};

/**
 * Refuses requests by their name and their origin. Permits web pages of other origins to read the answers (CORS), if
 * they may use the server. It needs no cookies, so pages get no permission to send any.
 * @param isPublic returns true for the path of a page that needs no token, although there are tokens
 */
export function guardRequests(edge: Edge, isPublic = (_: string): boolean => false): MiddlewareHandler<GuardedEnv> {
  return async (context, next) => {
    const { env, req } = context;
    const { visit } = env;
    if (visit instanceof ProtocolError) return refusalOf(visit, { refuse: errorEvent });
    const isPreflight = req.method === "OPTIONS" && req.header("access-control-request-method") !== undefined;
    const reads = READS.includes(req.method) && !isPreflight;
    const open = isPublic(req.path);
    const refused = reads ? edge.refusesRead(visit, open) : edge.refusesUse(visit, open);
    if (refused !== undefined) return refusalOf(refused, { refuse: errorEvent });
    if (isPreflight) context.res = preflight(req.header("access-control-request-headers") ?? "");
    else await next();
    permitReading(context.res.headers, visit, edge);
  };
}

/** Returns the answer to a preflight. @param asked names of the headers that the page wants to send */
function preflight(asked: string): Response {
  const names = asked.split(",", MAX_HEADERS).map((name) => name.trim().toLowerCase());
  const allowed = [ALLOWED_HEADERS, ...names.filter((name) => SDK_HEADER.test(name))].join(", ");
  return new Response(null, { status: 204, headers: { ...PREFLIGHT, "access-control-allow-headers": allowed } });
}

/** Adds to the headers of an answer that the web page which has asked may read it, if it may use the server. */
export function permitReading(headers: Headers, visit: Visit, edge: Pick<Edge, "allowsOrigin">): void {
  headers.append("vary", "Origin");
  if (visit.origin === undefined || !edge.allowsOrigin(visit)) return;
  headers.set("access-control-allow-origin", visit.origin);
  headers.set("access-control-expose-headers", "Retry-After");
}
