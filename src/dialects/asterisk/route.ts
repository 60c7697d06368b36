import { bearerToken, ticketOf } from "../../protocol/credentials.ts";
import { errorEvent } from "../../protocol/error-event.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import { CallDialect } from "../call-dialect.ts";
import { presentText, wishesIn } from "../call-parameters.ts";
import { NO_LINE } from "../calls.ts";
import type { Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel } from "../models.ts";
import { AsteriskReader } from "./reader.ts";

/** Subprotocols that can be answered: the one of Asterisk's documentation, and our own. */
const SUBPROTOCOLS: readonly string[] = ["media", SUBPROTOCOL];
/** A channel on hold sends nothing. */
const IDLE_MS = 15 * 60_000;

/** Asterisk's channel driver for WebSockets, `chan_websocket`. */
export const asterisk: Route = {
  dialect: "asterisk",
  paths: ["/asterisk"],
  credentials: (request) => ({
    token: bearerToken(request.headers) ?? passwordIn(request.headers),
    ticket: ticketOf(request),
  }),
  choose: (offered) => offered.map((name) => name.toLowerCase()).find((name) => SUBPROTOCOLS.includes(name)),
  refuse: errorEvent,
  open(_path, request, config, models = []) {
    const { pattern } = chooseModel(undefined, models, config.dialects);
    const query = new URL(request.url).searchParams;
    const call = presentText(query.get("call"));
    const wishes = wishesIn((name) => query.get(name) ?? undefined);
    return {
      dialect: "asterisk",
      pattern,
      traits: { ...foreignTraits(config), idleTimeoutMs: IDLE_MS, startTimeoutMs: IDLE_MS, binaryIsAudio: true },
      calls: { role: "carries" },
      create: (session, line = NO_LINE) =>
        new CallDialect({ config, models, pattern, reader: new AsteriskReader({ call, wishes, session }), line }),
    };
  },
};

/** Returns the password of `Authorization: Basic`, which is the only header that can be set; undefined: there is none. */
function passwordIn(headers: Headers): string | undefined {
  const [, pair = ""] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  const [, password] = /^[^:]*:(.+)$/s.exec(Buffer.from(pair, "base64").toString()) ?? [];
  return password;
}
