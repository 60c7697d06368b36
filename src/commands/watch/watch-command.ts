import type { ArgsDef, CommandDef } from "citty";
import * as v from "valibot";

import { ConnectionError } from "../../client/errors.ts";
import { openSocket } from "../../client/open-socket.ts";
import { watchMessageSchema } from "../../dialects/watch/messages.ts";
import { excerpt } from "../../lib/excerpt.ts";
import { parseEvent } from "../../protocol/events.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import { findRefusalReason } from "../send/refusal-reason.ts";
import { insecureWarning, parseTlsFlags, readClientTls, TLS_FLAGS } from "../terminal/client-tls.ts";
import { takeToken, TOKEN_FLAGS, tokenHeaders, tokenWarning } from "../terminal/client-token.ts";
import { EXIT, ExitError } from "../terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "../terminal/flags.ts";
import { writeNotice, writeOutput } from "../terminal/output.ts";
import { parseServerAddress, printableUrl, streamUrl } from "../terminal/server-address.ts";
import { callLine } from "./call-lines.ts";

const DEFAULT_ADDR = "localhost:8080";
/** Messages that wait to be printed; a client that has more is slower than its calls. */
const MAX_WAITING = 10_000;

const FLAGS = {
  addr: {
    type: "string",
    valueHint: "HOST:PORT|URL",
    description: `Address of the server, with or without a path (default ${DEFAULT_ADDR})`,
  },
  call: { type: "string", valueHint: "NAME", description: "Name of the calls to watch (default: all of your own)" },
  format: {
    type: "string",
    valueHint: "text|json",
    description: "Output format; json: messages as received, one per line (default text)",
  },
  ...TOKEN_FLAGS,
  ...TLS_FLAGS,
} as const satisfies ArgsDef;

/** Prints what happens in phone calls until the server closes the connection, or the program is interrupted. */
export const watchCommand: CommandDef = {
  args: FLAGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, FLAGS);
    const format = flags.string("format") ?? "text";
    if (format !== "text" && format !== "json") throw invalidValue("--format", format, "text, json");
    const url = streamUrl(parseServerAddress("--addr", flags.string("addr") ?? DEFAULT_ADDR), "calls");
    const call = flags.string("call");
    if (call !== undefined) url.searchParams.set("call", call);
    const token = takeToken(flags, url);
    const given = parseTlsFlags(flags, url);
    for (const warning of [tokenWarning(url, token), insecureWarning(given)]) {
      if (warning !== undefined) await writeNotice(`streamer: ${warning}`);
    }
    const tls = await readClientTls(given);
    const options = { protocols: [SUBPROTOCOL], headers: tokenHeaders(token), tls };
    const socket = await openSocket(url, options).catch(async (error: unknown) => {
      if (!(error instanceof ConnectionError)) throw error;
      const reason = await findRefusalReason(url, { token, tls }, new AbortController().signal);
      throw new ExitError(EXIT.unreachable, `${printableUrl(url)}: cannot connect: ${reason}`);
    });
    const { code, reason } = await printUntilClosed(socket, (text) => (format === "json" ? text : lineOf(text)));
    const why = excerpt(reason, Infinity);
    if (code !== 1000) throw new ExitError(EXIT.failure, `${printableUrl(url)}: closed with ${code} ${why}`.trimEnd());
  },
};

/** Prints a line for each message, in order. Resolves with the close. */
async function printUntilClosed(
  socket: WebSocket,
  lineFor: (text: string) => string | undefined,
): Promise<{ readonly code: number; readonly reason: string }> {
  const closed = Promise.withResolvers<{ readonly code: number; readonly reason: string }>();
  let printed: Promise<void> = Promise.resolve();
  let waiting = 0;
  socket.onmessage = ({ data }) => {
    if (++waiting > MAX_WAITING) return closed.reject(new ExitError(EXIT.failure, "the output is not read"));
    printed = printed.then(async () => {
      const line = lineFor(String(data));
      if (line !== undefined) await writeOutput(`${line}\n`);
      waiting -= 1;
    });
    printed.catch(closed.reject);
  };
  socket.onclose = ({ code, reason }) => void printed.then(() => closed.resolve({ code, reason }), closed.reject);
  try {
    return await closed.promise;
  } finally {
    socket.close();
  }
}

/** Returns the line for a message; undefined: there is none. */
function lineOf(text: string): string | undefined {
  const result = v.safeParse(watchMessageSchema, JSON.parse(text));
  if (result.success) return callLine(result.output);
  const event = parseEvent(text);
  if (event.type !== "error" && event.type !== "warning") return undefined;
  return excerpt(`${event.type} ${event.code}: ${event.message}`, Infinity);
}
