import { readFileSync } from "node:fs";
import { isIP } from "node:net";

import type { ArgsDef } from "citty";

import { messageOf } from "../../lib/thrown.ts";
import { authorization } from "../../protocol/credentials.ts";
import { UsageError } from "./exit-codes.ts";
import type { GivenFlags } from "./flags.ts";

/** The variable of the environment that has the token. */
const VARIABLE = "STREAMER_TOKEN";
/** Most characters of a token. */
const MAX_CHARACTERS = 4_096;
/** What a header may have as a token: printable ASCII without spaces. */
const TOKEN = /^[\x21-\x7e]+$/;
const ALLOWED = `1 to ${MAX_CHARACTERS} printable ASCII characters without spaces`;

/** The flags with the token that a client shows. */
export const TOKEN_FLAGS = {
  token: {
    type: "string",
    valueHint: "TOKEN",
    description: `Token for the server (default ${VARIABLE}); other users can see the command line, so prefer that or --token-file`,
  },
  "token-file": { type: "string", valueHint: "FILE", description: "File with the token for the server" },
} as const satisfies ArgsDef;

type Environment = Record<string, string | undefined>;

/**
 * Returns the token that a client shows to the server at a URL: that of the flags, or else of the environment, from
 * which it is removed, so that no program that is started inherits it. Undefined: there is none. Throws UsageError,
 * without the token.
 */
export function takeToken(flags: GivenFlags, url: URL, env: Environment = process.env): string | undefined {
  const token = readToken(flags, env);
  if (token === undefined || url.username === "") return token;
  throw new UsageError("--addr has a user, and there is a token: give only one of them, both are sent in one header");
}

function readToken(flags: GivenFlags, env: Environment): string | undefined {
  const { [VARIABLE]: variable } = env;
  forgetToken(env);
  const [given, file] = [flags.string("token"), flags.string("token-file")];
  if (given !== undefined && file !== undefined)
    throw new UsageError("--token and --token-file: give only one of them");
  if (given !== undefined) return checked("--token", given);
  if (file !== undefined) return checked(`--token-file ${file}`, readFile(file));
  return variable === undefined || variable === "" ? undefined : checked(`environment variable ${VARIABLE}`, variable);
}

/** Removes the token from an environment, for programs that need none. */
function forgetToken(env: Environment = process.env): void {
  delete env[VARIABLE];
}

/** Returns the headers that show a token, if there is one. */
export function tokenHeaders(token: string | undefined): Readonly<Record<string, string>> {
  return token === undefined ? {} : authorization(token);
}

/** Returns what to do about status 401, as the end of a sentence. */
export function unauthorizedHint(token: string | undefined): string {
  return token === undefined
    ? `give a token with ${VARIABLE} or --token-file`
    : "the token that was given is not valid there";
}

/**
 * Returns a warning if others on the network can read a token that is sent to this URL. Undefined: it is encrypted, or
 * stays on this machine.
 */
export function tokenWarning(url: URL, token: string | undefined): string | undefined {
  if (token === undefined || url.protocol === "wss:" || url.protocol === "https:" || isLoopback(url.hostname)) {
    return undefined;
  }
  const secure = url.protocol === "ws:" ? "wss://" : "https://";
  return `warning: the token is sent to ${url.host} without encryption; use ${secure} if the server has it`;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost" || host.endsWith(".localhost");
}

function readFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--token-file: ${file}: cannot be read: ${messageOf(error)}`);
  }
}

/** Never shows what was found: it may be a token with one character too many. */
function checked(source: string, token: string): string {
  if (token.length <= MAX_CHARACTERS && TOKEN.test(token)) return token;
  const found = token === "" ? "nothing" : `${token.length} characters, some of which a token cannot have`;
  throw new UsageError(
    `${source}: found ${token.length > MAX_CHARACTERS ? `${token.length} characters` : found}; allowed: ${ALLOWED}`,
  );
}
