import type { Hono } from "hono";

import { errorEvent } from "../protocol/error-event.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { RenderedMetrics } from "../telemetry/metrics/exposition.ts";
import { refusalOf } from "./upgrade.ts";

/** The server, as its pages for operators use it. */
export interface PagesHost {
  readonly version: string;
  /** Returns why the server is not ready; undefined when it is. */
  unready(): ProtocolError | undefined;
  /** Where the metrics are, as a sentence; undefined: at this server. */
  readonly metricsPlace?: string | undefined;
  /** The metrics, in a format that `accept` allows. */
  metrics(accept: string | null): Promise<RenderedMetrics>;
  /** Models, formats, limits and load, for `info`. */
  describe(): Record<string, unknown> | Promise<Record<string, unknown>>;
}

/** The paths that `addPages` adds. */
export const PAGES = ["/api/v1/health", "/api/v1/ready", "/api/v1/info", "/metrics"] as const;

/** Adds liveness, readiness, information and metrics. */
export function addPages(app: Hono, host: PagesHost): void {
  app.get("/api/v1/health", (c) => c.json({ status: "healthy" }));
  app.get("/api/v1/ready", (c) => {
    const unready = host.unready();
    return unready === undefined ? c.json({ status: "ready" }) : refuse(unready);
  });
  app.get("/api/v1/info", async (c) =>
    c.json({ version: host.version, protocol_version: PROTOCOL_VERSION, ...(await host.describe()) }),
  );
  app.get("/metrics", async (c) => {
    if (host.metricsPlace !== undefined) return c.text(`${host.metricsPlace}\n`, 404);
    const { contentType, body } = await host.metrics(c.req.header("accept") ?? null);
    return c.body(body, 200, { "content-type": contentType });
  });
}

/** The answer that refuses a request which is not one for a connection. */
export function refuse(error: ProtocolError): Response {
  return refusalOf(error, { refuse: errorEvent });
}
