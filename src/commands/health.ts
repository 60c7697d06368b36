import type { ArgsDef, CommandDef } from "citty";

import type { ClientTls } from "../client/tls.ts";
import { addressFromEnvironment } from "../config/server-address.ts";
import { messageOf } from "../lib/thrown.ts";
import { insecureWarning, parseTlsFlags, readClientTls, TLS_FLAGS, type TlsFiles } from "./terminal/client-tls.ts";
import { takeToken, TOKEN_FLAGS, tokenHeaders, tokenWarning, unauthorizedHint } from "./terminal/client-token.ts";
import { describeConnectionError, requestDirectly } from "./terminal/direct-request.ts";
import { EXIT, ExitError, UsageError } from "./terminal/exit-codes.ts";
import { parseFlags } from "./terminal/flags.ts";
import { writeNotice, writeOutput } from "./terminal/output.ts";
import { parseServerAddress, printableUrl, routeUrl, type ServerAddress } from "./terminal/server-address.ts";

const FLAGS = {
  addr: {
    type: "string",
    valueHint: "HOST:PORT|URL",
    description: "Address of the server (default: this machine, with the host and port that the environment sets)",
  },
  ...TOKEN_FLAGS,
  ...TLS_FLAGS,
  ready: { type: "boolean", description: "Check that the server accepts streams, not only that it is alive" },
} as const satisfies ArgsDef;

const TIMEOUT_MS = 5_000;
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
    const route = flags.has("ready") ? "ready" : "health";
    const addr = flags.string("addr");
    const url = routeUrl(addr === undefined ? defaultAddress(process.env) : parseServerAddress("--addr", addr), route);
    const token = takeToken(flags, url);
    const given = parseTlsFlags(flags, url);
    for (const warning of [tokenWarning(url, token), insecureWarning(given)]) {
      if (warning !== undefined) await writeNotice(`streamer: ${warning}`);
    }
    const problem = await check(url, token, await tlsOf(given, addr, token));
    if (problem !== undefined) throw new ExitError(EXIT.failure, `${printableUrl(url)}: ${problem}`);
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

/** Requests `url`. Returns undefined for status 200, else the reason. */
async function check(url: URL, token: string | undefined, tls: ClientTls): Promise<string | undefined> {
  try {
    const { status, body } = await requestDirectly(url, {
      timeoutMs: TIMEOUT_MS,
      headers: tokenHeaders(token),
      tls,
    });
    if (status === 200) return undefined;
    const hint = status === 401 ? `; ${unauthorizedHint(token)}` : "";
    return `HTTP ${status}: ${body.slice(0, MAX_SHOWN).trim()}${hint}`;
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    return timedOut
      ? `no response within ${TIMEOUT_MS / 1000} s`
      : `cannot connect: ${await describeConnectionError(url, error)}`;
  }
}
