import { type Context, Hono, type MiddlewareHandler } from "hono";
import { getPath } from "hono/utils/url";

import type { Access, IssuedTicket } from "../auth/access.ts";
import { dialectPorts } from "../config/dialect-ports.ts";
import type { Route } from "../dialects/dialect.ts";
import type { FileRoute } from "../dialects/files/file-route.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { baseOf, portAddress, withAddresses } from "./addresses.ts";
import { addConsoleFiles, CONSOLE_PATHS, consolePage, wantsPage } from "./console.ts";
import type { Edge, Visit } from "./edge/edge.ts";
import { addressOf, type GuardedEnv, guardRequests } from "./edge/guard.ts";
import { guardPublicPages } from "./page-guard.ts";
import { addPages, DISCREET_PAGES, PAGES, type PagesHost, refuse } from "./pages.ts";
import { connect, hasToken, type UpgradeHost } from "./upgrade.ts";
import { receiveFile, type UploadHost } from "./uploads/receive-file.ts";
import { declaredBytes } from "./uploads/request-body.ts";

/** The server, as its routes use it. */
export interface RoutesHost extends Omit<UpgradeHost, "edge">, PagesHost, UploadHost {
  readonly edge: Edge;
  readonly access: Access;
}

/** The front page, which lists the others. */
export const FRONT_PAGE = "/";
/** The dialect whose routes the front page has without addresses: clients of its own know them. */
const NATIVE = "streamer";
/** The dialect of those who watch calls. */
const WATCH = "watch";
/** Where tickets are issued. */
export const TICKETS = "/api/v1/tickets";
const READ = "GET, HEAD, OPTIONS";
const POST = "POST, OPTIONS";

/** Most bytes of a body that no route reads. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Answers a request for any path. */
export type Routes = (request: Request) => Response | Promise<Response>;

/** Returns what answers the HTTP requests, those for the dialects' connections and files included. */
export function createRoutes(host: RoutesHost, routes: readonly Route[], files: readonly FileRoute[] = []): Routes {
  const app = createApp(host, routes, files);
  const takesFiles = new Set(files.flatMap(({ paths }) => paths));
  return (request) =>
    refuseBody(request, takesFiles.has(routePath(request))) ??
    app.fetch(request, { visit: host.edge.read(request, host.address(request)) });
}

/** Returns the HTTP routes. */
export function createApp(host: RoutesHost, routes: readonly Route[], files: readonly FileRoute[]): Hono<GuardedEnv> {
  const app = new Hono<GuardedEnv>({ getPath: routePath });
  // These guard themselves, so that their answers and their refusals are those of the dialect.
  for (const route of routes) {
    for (const path of route.paths) {
      const handle = (c: Context<GuardedEnv>) => connect({ request: c.req.raw, ...c.env, route, path }, host);
      if (path === FRONT_PAGE) app.get(path, beside(handle));
      else app.get(path, handle);
    }
  }
  for (const route of files) {
    for (const path of route.paths) {
      app.post(path, (c) => receiveFile({ request: c.req.raw, ...c.env, route, path }, host));
    }
  }
  const frontPage = (visit: Visit | ProtocolError): string => frontPageOf(host, routes, files, visit);
  const { access, config } = host;
  const { public_routes: publicRoutes } = config.auth;
  // A page on the web that reaches them by DNS rebinding learns no more than that a server is here.
  const discreet = [FRONT_PAGE, ...DISCREET_PAGES];
  app.use(guardRequests(host.edge, (path) => publicRoutes.includes(path) && !discreet.includes(path)));
  const guard = guardPublicPages({ access, publicRoutes, adminOnly: config.server.admin_only });
  const hasConsole = config.server.console === "on";
  app.get(FRONT_PAGE, guard(FRONT_PAGE), async (c) => {
    if (hasConsole && wantsPage(c.req.raw)) return consolePage(c);
    return c.text(frontPage(c.env.visit), 200, { vary: "Accept" });
  });
  // Whoever may have the page may have its parts.
  if (hasConsole) addConsoleFiles(app, guard(FRONT_PAGE));
  addPages(app, host, guard, withAddresses);
  app.post(TICKETS, (c) => answerTicket(access.issue(c.req.raw, addressOf(c.env.visit))));
  app.options(TICKETS, (c) => c.body(null, 204, { allow: POST }));
  app.all(TICKETS, (c) => c.text("A ticket is the answer to a POST.\n", 405, { allow: POST }));
  const read = [FRONT_PAGE, ...(hasConsole ? CONSOLE_PATHS : []), ...PAGES, ...routes.flatMap(({ paths }) => paths)];
  for (const [path, allow] of methodsOf(read, files)) {
    // A health check of HAProxy is OPTIONS by default.
    app.options(path, (c) => c.body(null, 204, { allow }));
    app.all(path, (c) => c.text(`${c.req.method} is not possible here; ${allow} are.\n`, 405, { allow }));
  }
  app.notFound((c) => {
    return c.text(`There is nothing at ${new URL(c.req.url).pathname}.\n\n${frontPage(c.env.visit)}`, 404);
  });
  // Bun.serve's error handler logs faults, as it does for all others.
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Returns the methods that each path has. @param read paths that are there to be read */
function methodsOf(read: readonly string[], files: readonly FileRoute[]): ReadonlyMap<string, string> {
  const methods = new Map(read.map((path) => [path, READ]));
  for (const path of files.flatMap(({ paths }) => paths)) {
    methods.set(path, methods.has(path) ? "GET, HEAD, POST, OPTIONS" : POST);
  }
  return methods;
}

/** Refuses a body that is too large for a route that reads none. */
function refuseBody({ headers }: Request, takesFile: boolean): Response | undefined {
  if (takesFile || (declaredBytes(headers) ?? 0) <= MAX_BODY_BYTES) return undefined;
  return new Response(null, { status: 413, headers: { connection: "close" } });
}

/**
 * Returns the handler of a dialect that has the path of the front page, for WebSockets only: there are other upgrades,
 * such as that to HTTP/2, which curl offers.
 */
function beside(handle: (c: Context<GuardedEnv>) => Response | Promise<Response>): MiddlewareHandler<GuardedEnv> {
  return async (c, next) => {
    if (hasToken(c.req.header("upgrade") ?? null, "websocket")) return await handle(c);
    await next();
    return undefined;
  };
}

/** Nobody may keep a ticket. */
function answerTicket(issued: IssuedTicket | ProtocolError): Response {
  return issued instanceof ProtocolError
    ? refuse(issued)
    : Response.json(issued, { headers: { "cache-control": "no-store" } });
}

/** Returns the path of a request without the empty parts that proxies and people add: `//metrics/` is `/metrics`. */
function routePath(request: Request): string {
  const path = getPath(request);
  return path.endsWith("/") || path.includes("//") ? `/${path.split("/").filter(Boolean).join("/")}` : path;
}

function frontPageOf(
  { version, config }: RoutesHost,
  routes: readonly Route[],
  files: readonly FileRoute[],
  visit: Visit | ProtocolError,
): string {
  const isNative = ({ dialect }: Route): boolean => dialect === NATIVE;
  const streams = routes.filter(isNative).flatMap(({ paths }) => paths.map((path) => `  ws  ${path}`));
  const base = baseOf(visit) ?? "";
  const isWatch = ({ dialect }: Route): boolean => dialect === WATCH;
  const watched = routes.filter(isWatch).flatMap(({ paths }) => paths.map((path) => `  ws  ${path}`));
  const others = routes
    .filter((route) => !isNative(route) && !isWatch(route))
    .flatMap(({ dialect, paths }) => shownPaths(paths).map((path) => `  ${dialect}  ${base}${path}`));
  others.push(
    ...dialectPorts(config)
      .filter(({ scheme }) => scheme !== "ws")
      .map(({ section, port }) => `  ${section}  ${portAddress(visit, section, port) ?? `TCP port ${port}`}`),
  );
  const http = base.replace(/^ws/, "http");
  others.push(...files.flatMap(({ dialect, paths }) => paths.map((path) => `  ${dialect}  POST ${http}${path}`)));
  const pages = PAGES.map((path) => `  GET ${path}`);
  return [
    `Streamer ${version}\n`,
    ...(streams.length === 0
      ? []
      : [`Stream audio over a WebSocket and get results on the same socket:\n${streams.join("\n")}\n`]),
    ...(others.length === 0 ? [] : [`Point clients of other services here:\n${others.join("\n")}\n`]),
    ...(watched.length === 0 ? [] : [`Get the results of phone calls:\n${watched.join("\n")}\n`]),
    `About this server:\n${pages.join("\n")}\n`,
  ].join("\n");
}

/** Returns the paths without those that have a secret in them, which are only known to whoever has one. */
export function shownPaths(paths: readonly string[]): string[] {
  return paths.filter((path) => !path.includes(":"));
}
