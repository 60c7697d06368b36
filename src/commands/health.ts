import type { ArgsDef, CommandDef } from "citty";

import { type ClientTls, findTlsFault } from "../client/tls.ts";
import { addressFromEnvironment } from "../config/server-address.ts";
import { excerpt } from "../lib/excerpt.ts";
import { messageOf } from "../lib/thrown.ts";
import { insecureWarning, parseTlsFlags, readClientTls, TLS_FLAGS, type TlsFiles } from "./terminal/client-tls.ts";
import { takeToken, TOKEN_FLAGS, tokenHeaders, tokenWarning, unauthorizedHint } from "./terminal/client-token.ts";
import { describeConnectionError, requestDirectly } from "./terminal/direct-request.ts";
import { EXIT, ExitError, UsageError } from "./terminal/exit-codes.ts";
import { parseFlags, parseWhole } from "./terminal/flags.ts";
import { processOutput, writeNotice, writeOutput } from "./terminal/output.ts";
import { Screen } from "./terminal/screen.ts";
import { parseServerAddress, printableUrl, routeUrl, type ServerAddress } from "./terminal/server-address.ts";

const FLAGS = {
  addr: {
    type: "string",
    valueHint: "HOST:PORT|URL",
    description: "Address of the server (default: this machine, with the host and port that the environment sets)",
  },
  ready: { type: "boolean", description: "Check that the server accepts streams, not only that it is alive" },
  wait: {
    type: "string",
    valueHint: "SECONDS",
    description: "Check again until the server is well, for so long at most (default 0: one check)",
  },
  ...TOKEN_FLAGS,
  ...TLS_FLAGS,
} as const satisfies ArgsDef;

const TIMEOUT_MS = 5_000;
/** Pause between two checks. */
const RETRY_MS = 500;
const MAX_WAIT_SECONDS = 86_400;
/** Most characters of a response that are shown. */
const MAX_SHOWN = 200;

/**
 * Checks liveness or readiness, for example for a container: exit code 0 when the server is well, else 1 with the
 * reason.
 */
export const healthCommand: CommandDef = {
  args: FLAGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, FLAGS);
    const waitMs = parseWhole("--wait", flags.string("wait") ?? "0", 0, MAX_WAIT_SECONDS) * 1000;
    const route = flags.has("ready") ? "ready" : "health";
    const addr = flags.string("addr");
    const url = routeUrl(addr === undefined ? defaultAddress(process.env) : parseServerAddress("--addr", addr), route);
    const token = takeToken(flags, url);
    const given = parseTlsFlags(flags, url);
    for (const warning of [tokenWarning(url, token), insecureWarning(given)]) {
      if (warning !== undefined) await writeNotice(`streamer: ${warning}`);
    }
    const tls = await tlsOf(given, addr, token);
    const problem = await checkUntilWell(waitMs, () => check(url, token, tls));
    if (problem !== undefined) throw new ExitError(EXIT.failure, `${printableUrl(url)}: ${problem.reason}`);
    await writeOutput(route === "ready" ? "ready\n" : "healthy\n");
  },
};

/** Returns the address of the server that the environment configures, as `serve` reads it. Throws UsageError. */
export function defaultAddress(env: Readonly<Record<string, string | undefined>>): ServerAddress {
  try {
    return parseServerAddress("environment", addressFromEnvironment(env));
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/**
 * Returns how the certificate is checked. That of the server on this machine, at the address of the environment, is not:
 * it need not have that address as a name. A token is not sent to it then.
 */
async function tlsOf(given: TlsFiles, addr: string | undefined, token: string | undefined): Promise<ClientTls> {
  const tls = await readClientTls(given);
  return addr === undefined && tls.ca === undefined && token === undefined ? { ...tls, insecure: true } : tls;
}

/** Why a server is not well. */
interface Problem {
  readonly reason: string;
  /** What the server says; undefined: nothing. */
  readonly message?: string | undefined;
  /** It may be well soon: nothing listens there yet, or its models are being loaded. */
  readonly mayPass: boolean;
}

/** Repeats a check that may pass later. On a terminal, shows what is waited for. */
async function checkUntilWell(waitMs: number, check: () => Promise<Problem | undefined>): Promise<Problem | undefined> {
  if (waitMs === 0) return await check();
  const begin = performance.now();
  const err = processOutput(process.stderr, () => undefined);
  const screen = new Screen(err, err, { colour: false });
  try {
    for (;;) {
      const problem = await check();
      const waitedMs = performance.now() - begin;
      if (problem === undefined || !problem.mayPass || waitedMs + RETRY_MS > waitMs) return problem;
      screen.setLive("wait", `waiting: ${problem.message ?? problem.reason}, ${Math.round(waitedMs / 1000)} s`);
      await Bun.sleep(RETRY_MS);
    }
  } finally {
    screen.clearLive();
    await err.flush();
  }
}

/** Requests `url`. Returns undefined for status 200, else the reason. */
async function check(url: URL, token: string | undefined, tls: ClientTls): Promise<Problem | undefined> {
  try {
    const { status, body } = await requestDirectly(url, {
      timeoutMs: TIMEOUT_MS,
      headers: tokenHeaders(token),
      tls,
    });
    if (status === 200) return undefined;
    const hint = status === 401 ? `; ${unauthorizedHint(token)}` : "";
    const reason = `HTTP ${status}: ${body.slice(0, MAX_SHOWN).trim()}${hint}`;
    return { reason, message: messageIn(body), mayPass: status >= 500 };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    const reason = timedOut
      ? `no response within ${TIMEOUT_MS / 1000} s`
      : `cannot connect: ${await describeConnectionError(url, error)}`;
    return { reason, mayPass: timedOut || findTlsFault(messageOf(error)) === undefined };
  }
}

/** Returns the message of an error event; undefined: it is none. */
function messageIn(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body) as { readonly message?: unknown };
    return typeof message === "string" ? excerpt(message, MAX_SHOWN) : undefined;
  } catch {
    return undefined;
  }
}
