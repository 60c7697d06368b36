import { bearerToken, type Credentials, ticketOf } from "../../protocol/credentials.ts";
import { errorEvent } from "../../protocol/error-event.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import { CallDialect } from "../call-dialect.ts";
import { NO_LINE } from "../calls.ts";
import type { Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel } from "../models.ts";
import { TwilioReader } from "./reader.ts";

const PATH = "/twilio";
/** What stands before a ticket in the path. */
const TICKET = "ticket.";
/** Bytes of a message beside its audio. */
const ENVELOPE_BYTES = 1_024;

/** Twilio Media Streams. */
export const twilio: Route = {
  dialect: "twilio",
  paths: [PATH, `${PATH}/:credential`],
  credentials(request, queryTokens) {
    const token = bearerToken(request.headers);
    const inPath = credentialIn(new URL(request.url).pathname, queryTokens);
    return { token: token ?? inPath.token, ticket: inPath.ticket ?? ticketOf(request) };
  },
  choose: (offered) => offered.map((name) => name.toLowerCase()).find((name) => name === SUBPROTOCOL),
  refuse: errorEvent,
  open(_path, _request, config, models = []) {
    const { pattern } = chooseModel(undefined, models, config.dialects);
    const { maxTextBytes, ...traits } = foreignTraits(config);
    const audioBytes = 4 * Math.ceil(config.limits.max_message_bytes / 3);
    return {
      dialect: "twilio",
      pattern,
      traits: {
        ...traits,
        maxTextBytes: Math.max(maxTextBytes, audioBytes + ENVELOPE_BYTES),
        binaryIsAudio: false,
      },
      calls: { role: "carries" },
      create: (session, line = NO_LINE) =>
        new CallDialect({ config, models, pattern, reader: new TwilioReader(session), line }),
    };
  },
};

/**
 * Returns the ticket or the token in a path: Twilio sends neither headers nor a query. A token there counts as one in
 * a query.
 */
function credentialIn(path: string, queryTokens: boolean): Credentials {
  const [, shown = ""] = /\/twilio\/([^/]+)\/*$/.exec(path) ?? [];
  if (shown.startsWith(TICKET)) return { ticket: shown.slice(TICKET.length) };
  return shown !== "" && queryTokens ? { token: shown } : {};
}
