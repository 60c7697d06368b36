import { CallDialect } from "../call-dialect.ts";
import { NO_LINE } from "../calls.ts";
import { foreignTraits } from "../foreign-traits.ts";
import { chooseModel } from "../models.ts";
import type { Port } from "../port.ts";
import { AudioSocketFramer } from "./framer.ts";
import { AudioSocketReader } from "./reader.ts";

/** A channel on hold sends nothing. */
const IDLE_MS = 15 * 60_000;

/** Asterisk's AudioSocket, which is off unless `audiosocket.port` is set. */
export const audiosocket: Port = {
  dialect: "audiosocket",
  open({ config, models }) {
    const offered = models();
    const { pattern } = chooseModel(undefined, offered, config.dialects);
    return {
      dialect: "audiosocket",
      pattern,
      traits: { ...foreignTraits(config), idleTimeoutMs: IDLE_MS, startTimeoutMs: IDLE_MS, binaryIsAudio: true },
      calls: { role: "carries" },
      create: (session, line = NO_LINE) =>
        new CallDialect({ config, models: offered, pattern, reader: new AudioSocketReader(session), line }),
    };
  },
  createFramer: () => new AudioSocketFramer(),
  // Asterisk sees the end of the connection, and would play what is sent.
  refuse: () => [],
};
