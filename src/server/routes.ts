import { Hono } from "hono";
import { getPath } from "hono/utils/url";

import type { Route } from "../dialects/dialect.ts";
import { errorEvent } from "../protocol/error-event.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { RenderedMetrics } from "../telemetry/metrics/exposition.ts";
import { connect, refusalOf, type UpgradeHost } from "./upgrade.ts";

/** The server, as its routes use it. */
export interface RoutesHost extends UpgradeHost {
  readonly version: string;
  /** Returns why the server is not ready; undefined when it is. */
  unready(): ProtocolError | undefined;
  /** Where the metrics are, as a sentence; undefined: at this server. */
  readonly metricsPlace: string | undefined;
  /** The metrics, in a format that `accept` allows. */
  metrics(accept: string | null): Promise<RenderedMetrics>;
  /** Models, formats and limits, for `info`. */
  describe(): Record<string, unknown>;
  /** The machine-readable contract. */
  contract(): object;
}

const PAGES = ["/api/v1/health", "/api/v1/ready", "/api/v1/info", "/api/v1/asyncapi.json", "/metrics"];

/** Returns the HTTP routes, those of the dialects' connections included. */
export function createRoutes(host: RoutesHost, routes: readonly Route[]): Hono {
  const app = new Hono({ getPath: routePath });
  const frontPage = frontPageOf(host.version, routes);
  app.get("/", (c) => c.text(frontPage));
  app.get("/api/v1/health", (c) => c.json({ status: "healthy" }));
  app.get("/api/v1/ready", (c) => {
    const unready = host.unready();
    return unready === undefined ? c.json({ status: "ready" }) : refuse(unready);
  });
  app.get("/api/v1/info", (c) =>
    c.json({ version: host.version, protocol_version: PROTOCOL_VERSION, ...host.describe() }),
  );
  app.get("/api/v1/asyncapi.json", (c) => c.json(host.contract()));
  app.get("/metrics", async (c) => {
    if (host.metricsPlace !== undefined) return c.text(`${host.metricsPlace}\n`, 404);
    const { contentType, body } = await host.metrics(c.req.header("accept") ?? null);
    return c.body(body, 200, { "content-type": contentType });
  });
  for (const route of routes) {
    for (const path of route.paths) app.get(path, (c) => connect(c.req.raw, route, path, host));
  }
  // A health check of HAProxy is OPTIONS by default.
  const paths = ["/", ...PAGES, ...routes.flatMap((route) => route.paths)];
  app.on("OPTIONS", paths, (c) => c.body(null, 204, { allow: "GET, HEAD, OPTIONS" }));
  // Bun 1.4.5 leaves the URL without a host when the Host header cannot be one.
  app.notFound((c) =>
    URL.canParse(c.req.url)
      ? c.text(`There is nothing at ${new URL(c.req.url).pathname}.\n\n${frontPage}`, 404)
      : refuse(
          new ProtocolError("invalid_request", "Host: found no host name; allowed: a name or address, and a port"),
        ),
  );
  // Bun.serve's error handler logs faults, as it does for all others.
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Returns the path of a request without the empty parts that proxies and people add: `//metrics/` is `/metrics`. */
function routePath(request: Request): string {
  const path = getPath(request);
  return path.endsWith("/") || path.includes("//") ? `/${path.split("/").filter(Boolean).join("/")}` : path;
}

function refuse(error: ProtocolError): Response {
  return refusalOf(error, { refuse: errorEvent });
}

function frontPageOf(version: string, routes: readonly Route[]): string {
  const streams = routes.flatMap(({ paths }) => paths).map((path) => `  ws  ${path}`);
  const pages = PAGES.map((path) => `  GET ${path}`);
  return [
    `Streamer ${version}\n`,
    `Stream audio over a WebSocket and get results on the same socket:\n${streams.join("\n")}\n`,
    `About this server:\n${pages.join("\n")}\n`,
  ].join("\n");
}
