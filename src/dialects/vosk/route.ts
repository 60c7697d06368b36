import { bearerToken, ticketOf } from "../../protocol/credentials.ts";
import { errorEvent } from "../../protocol/error-event.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import type { Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel } from "../models.ts";
import { VoskDialect } from "./dialect.ts";

/** Clients send nothing while nobody speaks, and have no message that only keeps a connection. */
const IDLE_MS = 15 * 60_000;

/** The route of vosk-server, which its clients have built in. Without an upgrade this path is the front page. */
export const vosk: Route = {
  dialect: "vosk",
  paths: ["/"],
  credentials: (request) => ({ token: bearerToken(request.headers), ticket: ticketOf(request) }),
  // Browsers need one that they have offered, and offer this one beside a ticket.
  choose: (offered) => offered.map((name) => name.toLowerCase()).find((name) => name === SUBPROTOCOL),
  refuse: errorEvent,
  open(_path, _request, config, models = []) {
    const { pattern } = chooseModel(undefined, models, config.dialects);
    return {
      dialect: "vosk",
      pattern,
      traits: {
        ...foreignTraits(config),
        idleTimeoutMs: IDLE_MS,
        startTimeoutMs: IDLE_MS,
        // Each message of audio has an answer of the dialect's own.
        binaryIsAudio: false,
        pingsCount: true,
      },
      create: () => new VoskDialect({ config, models }),
    };
  },
};
