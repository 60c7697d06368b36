import type { CommandDef } from "citty";

import { EXIT, ExitError } from "./terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "./terminal/flags.ts";

const ARGS = {
  addr: { type: "string", valueHint: "http://localhost:8080", description: "URL of the server" },
  ready: { type: "boolean", description: "Check that the server accepts streams, not only that it is alive" },
} as const;

const TIMEOUT_MS = 5_000;
/** Most characters of a response that are shown. */
const MAX_SHOWN = 200;

/**
 * Checks liveness or readiness, for example for a container: exit code 0 when the server is well, else 1 with the
 * reason.
 */
export const healthCommand: CommandDef<typeof ARGS> = {
  args: ARGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, ARGS);
    const route = flags.has("ready") ? "ready" : "health";
    const url = routeUrl(flags.string("addr") ?? defaultAddress(process.env), route);
    const problem = await check(url);
    if (problem !== undefined) throw new ExitError(EXIT.failure, `${url.origin}: ${problem}`);
    process.stdout.write(route === "ready" ? "ready\n" : "healthy\n");
  },
};

/** Returns the address of a server on this machine or in this container, with the port that the environment sets. */
export function defaultAddress(env: Readonly<Record<string, string | undefined>>): string {
  return `http://localhost:${env["STREAMER__SERVER__PORT"] ?? "8080"}`;
}

function routeUrl(addr: string, route: string): URL {
  const url = URL.parse(`/api/v1/${route}`, addr);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw invalidValue("--addr", addr, "http://HOST:PORT or https://HOST:PORT");
  }
  return url;
}

/** Requests `url`. Returns undefined for status 200, else the reason. */
async function check(url: URL): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    const body = (await response.text()).slice(0, MAX_SHOWN).trim();
    return response.status === 200 ? undefined : `HTTP ${response.status}: ${body}`;
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    return timedOut ? `no response within ${TIMEOUT_MS / 1000} s` : "cannot connect";
  }
}
