import type { CommandDef } from "citty";

import { EXIT, ExitCode, UsageError } from "./terminal/exit.ts";
import { parseFlags } from "./terminal/flags.ts";

const ARGS = {
  addr: { type: "string", valueHint: "http://localhost:8080", description: "Where the server is" },
  ready: { type: "boolean", description: "Ask whether it takes streams now, not only whether it works" },
} as const;

/** What does not answer by then is not healthy. */
const PATIENCE_MS = 5_000;
/** More of an answer than this is not shown. */
const MAX_WORDS = 200;

/** For whatever watches a container: exit code 0 when the server is well, else 1 and a sentence. */
export const healthCommand: CommandDef<typeof ARGS> = {
  meta: { name: "health", description: "Ask a server whether it is well, and say so by the exit code" },
  args: ARGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, ARGS);
    const route = flags.boolean("ready") ? "ready" : "health";
    const url = target(flags.string("addr") ?? defaultAddress(process.env), route);
    const problem = await ask(url);
    if (problem !== undefined) throw new ExitCode(EXIT.failed, `${url.origin} ${problem}`);
    process.stdout.write(route === "ready" ? "ready\n" : "healthy\n");
  },
};

/** The server of this machine, or container, on the port that its environment gives it. */
export function defaultAddress(env: Readonly<Record<string, string | undefined>>): string {
  return `http://localhost:${env["STREAMER__SERVER__PORT"] ?? "8080"}`;
}

function target(addr: string, route: string): URL {
  const url = URL.parse(`/api/v1/${route}`, addr);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(`--addr ${addr}: allowed: http://HOST:PORT or https://HOST:PORT`);
  }
  return url;
}

/** What is wrong, in words; undefined: nothing. */
async function ask(url: URL): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: "manual" });
    const said = (await response.text()).slice(0, MAX_WORDS).trim();
    return response.status === 200 ? undefined : `answers ${response.status}: ${said}`;
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    return timedOut ? `does not answer within ${PATIENCE_MS / 1000} s` : "cannot be reached";
  }
}
