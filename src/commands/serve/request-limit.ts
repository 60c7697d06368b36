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
  const problem = findRequestProblem(config, descriptors);
  if (problem !== undefined) throw new UsageError(problem);
  const needed = requestsOf(config);
  const allowed = Number(env[VARIABLE] ?? DEFAULT_REQUESTS) || DEFAULT_REQUESTS;
  if (needed <= allowed) return;
  if (needed <= MAX_REQUESTS) restart({ ...env, [VARIABLE]: String(needed) });
  throw new UsageError(`${foundRequests(needed)}; allowed: ${allowed}, or up to ${MAX_REQUESTS} with ${VARIABLE}`);
}

/** Returns a sentence if the process cannot open as many connections as remote models need; undefined: it can. */
export function findRequestProblem(config: Config, descriptors = descriptorLimit()): string | undefined {
  const needed = requestsOf(config);
  if (descriptors === undefined || needed <= descriptors - HELD_BACK) return undefined;
  const allowed = Math.max(0, descriptors - HELD_BACK);
  return `${foundRequests(needed)}; allowed: ${allowed}, by the limit of open files (ulimit -n)`;
}

function requestsOf({ model, models }: Config): number {
  return [model, ...Object.values(models)].reduce(
    (sum, { name, settings, workers }) => sum + workers * concurrentRequests(name, settings),
    0,
  );
}

function foundRequests(count: number): string {
  return `concurrency: found ${count} requests of remote models at once`;
}
