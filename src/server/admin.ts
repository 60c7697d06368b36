import { lstatSync, unlinkSync } from "node:fs";

import { Hono } from "hono";

import type { AdminAddress } from "../config/admin-address.ts";
import { codeOf } from "../lib/thrown.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { limitPort } from "./connections/port-limit.ts";
import type { Edge } from "./edge/edge.ts";
import { type GuardedEnv, guardRequests, type PathGuard } from "./edge/guard.ts";
import { addPages, PAGES, type PagesHost } from "./pages.ts";
import { addReload, RELOAD, type ReloadHost } from "./reload-page.ts";
import { withCompleteUrl } from "./request-url.ts";

/** Most connections at a TCP address: fewer than the file descriptors that connections of clients leave over. */
const MAX_CONNECTIONS = 12;
/** Longest time for the answer to a connection that finds out whether a socket file is in use. */
const PROBE_MS = 1_000;

/** The server, as its address for operators uses it. */
export interface AdminHost extends PagesHost, ReloadHost {}

/**
 * Limits of a Unix socket. In Bun 1.4.5 the time limit of one request has no effect there, and that of the server has,
 * which its types do not say.
 */
const UNIX_LIMITS: object = { idleTimeout: 0 };

export interface AdminServerOptions {
  readonly address: AdminAddress;
  readonly host: AdminHost;
  readonly edge: Edge;
  readonly guard: PathGuard;
  readonly log: Logger;
}

/** The pages for operators, at an address of their own. */
export class AdminServer implements AsyncDisposable {
  /** The address as an operator would write it: a URL, or `unix:PATH`. */
  readonly url: string;
  readonly #bun: Bun.Server<undefined>;
  readonly #limit: Disposable | undefined;

  /** Listens. Throws when it cannot. */
  static async open(options: AdminServerOptions): Promise<AdminServer> {
    if ("path" in options.address) await removeStaleSocket(options.address.path);
    return new AdminServer(options);
  }

  private constructor({ address, host, edge, guard, log }: AdminServerOptions) {
    // No web page can reach a Unix socket.
    const app = createAdminApp(host, guard, "path" in address ? undefined : edge);
    const options = {
      development: false,
      fetch: (request: Request, bun: Bun.Server<undefined>) => {
        const complete = withCompleteUrl(request) ?? request;
        // A load takes as long as `load_timeout_ms` permits.
        if (request.method === "POST") bun.timeout(request, 0);
        return app.fetch(complete, { visit: edge.read(complete, bun.requestIP(request)?.address ?? "") });
      },
      error: (error: Error) => {
        log.error("request_failed", { error });
        return new Response("an internal error; it has been logged\n", { status: 500 });
      },
    };
    if ("path" in address) {
      this.#bun = withoutOthers(() => Bun.serve({ ...options, unix: address.path, ...UNIX_LIMITS }));
      this.url = `unix:${address.path}`;
    } else {
      this.#bun = Bun.serve({ ...options, hostname: address.host, port: address.port, reusePort: false });
      const { hostname = "", port = 0 } = this.#bun;
      this.#limit = limitPort(port, MAX_CONNECTIONS);
      this.url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#limit?.[Symbol.dispose]();
    await this.#bun.stop(true);
  }
}

/** Returns the routes for operators. @param edge refuses requests by their name and their origin; undefined: none */
export function createAdminApp(host: AdminHost, guard: PathGuard, edge: Edge | undefined): Hono<GuardedEnv> {
  const app = new Hono<GuardedEnv>();
  if (edge !== undefined) app.use(guardRequests(edge));
  addPages(app, host, guard);
  addReload(app, host, guard);
  const pages = [...PAGES.map((path) => `  GET ${path}\n`), `  POST ${RELOAD}\n`].join("");
  app.get("/", guard("/"), (c) => c.text(`Streamer ${host.version}, for operators:\n${pages}`));
  app.notFound((c) => c.text(`There is nothing here. Pages:\n${pages}`, 404));
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Calls `listen` so that a socket which it creates is closed to users other than its owner and its group. */
function withoutOthers<Result>(listen: () => Result): Result {
  const umask = process.umask(0o077);
  try {
    process.umask(umask | 0o007);
    return listen();
  } finally {
    process.umask(umask);
  }
}

/** Removes the socket that a server which was killed has left behind. Throws EADDRINUSE when a server listens on it. */
async function removeStaleSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  try {
    await fetch("http://localhost/api/v1/health", { unix: path, signal: AbortSignal.timeout(PROBE_MS) });
  } catch (error) {
    // Anything else, such as no answer in time, comes from a server.
    if (codeOf(error) === "ConnectionRefused" || codeOf(error) === "ECONNREFUSED") return unlinkSync(path);
  }
  throw Object.assign(new Error(`${path} is in use`), { code: "EADDRINUSE" });
}
