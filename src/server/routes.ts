import { Hono } from "hono";
import { getPath } from "hono/utils/url";

import type { Route } from "../dialects/dialect.ts";
import { addPages, PAGES, type PagesHost } from "./pages.ts";
import { connect, type UpgradeHost } from "./upgrade.ts";

/** The server, as its routes use it. */
export interface RoutesHost extends UpgradeHost, PagesHost {
  /** The machine-readable contract. */
  contract(): object;
}

const CONTRACT = "/api/v1/asyncapi.json";

/** Returns the HTTP routes, those of the dialects' connections included. */
export function createRoutes(host: RoutesHost, routes: readonly Route[]): Hono {
  const app = new Hono({ getPath: routePath });
  const frontPage = frontPageOf(host.version, routes);
  app.get("/", (c) => c.text(frontPage));
  addPages(app, host);
  app.get(CONTRACT, (c) => c.json(host.contract()));
  for (const route of routes) {
    for (const path of route.paths) app.get(path, (c) => connect(c.req.raw, route, path, host));
  }
  // A health check of HAProxy is OPTIONS by default.
  const paths = ["/", ...PAGES, CONTRACT, ...routes.flatMap((route) => route.paths)];
  app.on("OPTIONS", paths, (c) => c.body(null, 204, { allow: "GET, HEAD, OPTIONS" }));
  app.notFound((c) => c.text(`There is nothing at ${new URL(c.req.url).pathname}.\n\n${frontPage}`, 404));
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

function frontPageOf(version: string, routes: readonly Route[]): string {
  const streams = routes.flatMap(({ paths }) => paths).map((path) => `  ws  ${path}`);
  const pages = [...PAGES, CONTRACT].map((path) => `  GET ${path}`);
  return [
    `Streamer ${version}\n`,
    `Stream audio over a WebSocket and get results on the same socket:\n${streams.join("\n")}\n`,
    `About this server:\n${pages.join("\n")}\n`,
  ].join("\n");
}
