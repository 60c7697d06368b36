import { bearerToken, ticketOf } from "../../protocol/credentials.ts";
import { SUBPROTOCOL } from "../../protocol/version.ts";
import type { Route } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel } from "../models.ts";
import { SpeechmaticsDialect } from "./dialect.ts";
import { errorMessage } from "./faults.ts";

/** Clients send nothing while nobody speaks, and have no message that only keeps a connection. */
const IDLE_MS = 15 * 60_000;

/** Speechmatics' realtime API, version 2. */
export const speechmatics: Route = {
  dialect: "speechmatics",
  paths: ["/v2"],
  credentials(request, queryTokens) {
    // Programs that need no key send an empty one.
    const jwt = new URL(request.url).searchParams.get("jwt") || undefined;
    // The original is valid for a short time, as a ticket is, which pages get from their own backend, too.
    return {
      token: bearerToken(request.headers) ?? (queryTokens ? jwt : undefined),
      ticket: ticketOf(request) ?? jwt,
    };
  },
  // Browsers need one that they have offered, and offer this one beside a ticket.
  choose: (offered) => offered.map((name) => name.toLowerCase()).find((name) => name === SUBPROTOCOL),
  refuse: ({ code, message, param }) => errorMessage(code, message, param),
  open(_path, _request, config, models = []) {
    // The model is only named in the StartRecognition.
    const { pattern } = chooseModel(undefined, models, config.dialects);
    const idleMs = Math.max(IDLE_MS, config.limits.idle_timeout_ms);
    return {
      dialect: "speechmatics",
      pattern,
      traits: {
        ...foreignTraits(config),
        idleTimeoutMs: idleMs,
        startTimeoutMs: idleMs,
        // Each message of audio is acknowledged.
        binaryIsAudio: false,
        pingsCount: true,
      },
      create: (session) => new SpeechmaticsDialect(session, { config, models, pattern }),
    };
  },
};
