import type { Hono } from "hono";

import { errorEvent } from "../protocol/error-event.ts";
import type { ProtocolError } from "../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { RenderedMetrics } from "../telemetry/metrics/exposition.ts";
import type { DescribedDialect, withAddresses } from "./addresses.ts";
import { addApiPages, API_PAGES, DOCS } from "./api-pages.ts";
import type { GuardedEnv, PathGuard } from "./edge/guard.ts";
import { refusalOf } from "./upgrade.ts";

/** The part of `info` that describes this server. */
export interface Description extends Record<string, unknown> {
  readonly dialects?: readonly DescribedDialect[];
}

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
  describe(): Description | Promise<Description>;
}

const HEALTH = "/api/v1/health";
const READY = "/api/v1/ready";
const INFO = "/api/v1/info";
const METRICS = "/metrics";

/** Pages that tell that a server is there, and whether it works, and nothing about what it does. */
export const DISCREET_PAGES: readonly string[] = [HEALTH, READY, DOCS];

/** The paths that `addPages` adds. */
export const PAGES = [HEALTH, READY, INFO, METRICS, ...API_PAGES] as const;

/**
 * Adds liveness, readiness, information, metrics and the descriptions of the interfaces.
 * @param locate adds the addresses of dialects; default: clients of other services have other addresses than this page
 */
export function addPages(
  app: Hono<GuardedEnv>,
  host: PagesHost,
  guard: PathGuard,
  locate: typeof withAddresses = (dialects) => dialects,
): void {
  app.get(HEALTH, guard(HEALTH), (c) => c.json({ status: "healthy" }));
  app.get(READY, guard(READY), (c) => {
    const unready = host.unready();
    return unready === undefined ? c.json({ status: "ready" }) : refuse(unready);
  });
  app.get(INFO, guard(INFO), async (c) => {
    const description = await host.describe();
    const dialects = description.dialects && locate(description.dialects, c.env.visit);
    return c.json({ version: host.version, protocol_version: PROTOCOL_VERSION, docs: DOCS, ...description, dialects });
  });
  app.get(METRICS, guard(METRICS), async (c) => {
    if (host.metricsPlace !== undefined) return c.text(`${host.metricsPlace}\n`, 404);
    const { contentType, body } = await host.metrics(c.req.header("accept") ?? null);
    return c.body(body, 200, { "content-type": contentType });
  });
  addApiPages(app, host.version, guard);
}

/** The answer that refuses a request which is not one for a connection. */
export function refuse(error: ProtocolError): Response {
  return refusalOf(error, { refuse: errorEvent });
}
