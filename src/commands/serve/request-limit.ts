import type { Config } from "../../config/config.ts";
import { descriptorLimit } from "../../lib/descriptors.ts";
import { concurrentRequests } from "../../model/models.ts";
import { restart } from "../runtime-variables.ts";
import { UsageError } from "../terminal/exit-codes.ts";

/** Sets how many requests of HTTP Bun 1.4.5 makes at once in a process. More of them wait, without a word. */
const VARIABLE = "BUN_CONFIG_MAX_HTTP_REQUESTS";
const DEFAULT_REQUESTS = 256;
const MAX_REQUESTS = 65_535;
/** Descriptors that requests leave over: for files, sockets that listen, and a few clients. */
const HELD_BACK = 64;

/**
 * Makes sure that the calls of remote models do not wait for each other in Bun: if they are more than it allows,
 * replaces the process by the same program with another limit. Throws UsageError if that is not possible, or if the
 * process cannot open that many connections. To be called before anything is open.
 * @param descriptors most that the process may have open
 */
export function allowRequests(config: Config, env: NodeJS.ProcessEnv, descriptors = descriptorLimit()): void {
  const models = [config.model, ...Object.values(config.models)];
  const needed = models.reduce(
    (sum, { name, settings, workers }) => sum + workers * concurrentRequests(name, settings),
    0,
  );
  const found = `found ${needed} requests of remote models at once`;
  if (descriptors !== undefined && needed > descriptors - HELD_BACK) {
    throw new UsageError(
      `concurrency: ${found}; allowed: ${Math.max(0, descriptors - HELD_BACK)}, by the limit of open files (ulimit -n)`,
    );
  }
  const allowed = Number(env[VARIABLE] ?? DEFAULT_REQUESTS) || DEFAULT_REQUESTS;
  if (needed <= allowed) return;
  if (needed <= MAX_REQUESTS) restart({ ...env, [VARIABLE]: String(needed) });
  throw new UsageError(`concurrency: ${found}; allowed: ${allowed}, or up to ${MAX_REQUESTS} with ${VARIABLE}`);
}
