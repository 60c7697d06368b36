import { chooseModel } from "../models.ts";
import type { Port } from "../port.ts";
import { errorMessage, WyomingDialect } from "./dialect.ts";
import { MAX_LINE_BYTES, WyomingFramer } from "./framer.ts";

/** The Wyoming protocol's port, which is off unless `wyoming.port` is set. */
export const wyoming: Port = {
  dialect: "wyoming",
  open(host) {
    const { limits, dialects } = host.config;
    return {
      dialect: "wyoming",
      pattern: chooseModel(undefined, host.models(), dialects).pattern,
      traits: {
        maxTextBytes: MAX_LINE_BYTES + 1 + limits.max_text_bytes,
        // A client may ask for the models and stay, for the next command.
        startTimeoutMs: Infinity,
        binaryIsAudio: true,
        pingsCount: false,
      },
      create: () => new WyomingDialect(host),
    };
  },
  createFramer: ({ limits }) =>
    new WyomingFramer({ maxDataBytes: limits.max_text_bytes, maxPayloadBytes: limits.max_message_bytes }),
  refuse: (error) => [errorMessage(error)],
};
