import type { ResultAudio } from "../model/job.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import { bearerToken, ticketOf } from "../protocol/credentials.ts";
import type { Ended, Ending } from "../protocol/ending.ts";
import { errorEvent } from "../protocol/error-event.ts";
import { type ErrorRow, ERRORS, ProtocolError } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";
import { parseJson } from "../protocol/message-fields.ts";
import { readRequest } from "../protocol/requests.ts";
import { SUBPROTOCOL } from "../protocol/version.ts";
import type { Dialect, Input, Message, Route } from "./dialect.ts";

const NO_INPUTS: readonly Input[] = [];

/** The native protocol: JSON text messages control, binary messages are audio. `docs/protocol.md` describes it. */
export class StreamerDialect implements Dialect {
  readonly #maxChannels: number;

  constructor(maxChannels: number) {
    this.#maxChannels = maxChannels;
  }

  begin(): readonly Input[] {
    return NO_INPUTS;
  }

  read(message: Message): readonly Input[] {
    if (typeof message !== "string") return [{ kind: "audio", bytes: message }];
    return [requestOf(() => parseJson(message), this.#maxChannels)];
  }

  write(event: ServerEvent, audio?: ResultAudio): readonly Message[] {
    const text = JSON.stringify(event);
    if (audio === undefined) return [text];
    const { buffer, byteOffset, byteLength } = audio.samples;
    return [text, new Uint8Array(buffer, byteOffset, byteLength)];
  }

  close(ending: Ending): Ended {
    if (ending === "stop") return { ending, code: 1000, reason: "stop" };
    if (ending === "drain") return { ending, code: 1001, reason: "draining" };
    const { close = 1011 }: ErrorRow = ERRORS[ending];
    return { ending, code: close, reason: ending };
  }
}

/**
 * Returns the input of a request, valid or not.
 * @param read returns its fields; throws ProtocolError
 */
export function requestOf(read: () => unknown, maxChannels: number): Input {
  let value: unknown;
  try {
    value = read();
    return { kind: "request", request: readRequest(value, { maxChannels }) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { kind: "refused", error, ...(isStart(value) && { meant: "start" }) };
  }
}

/** Returns true for a message that was meant as a start, valid or not. */
function isStart(value: unknown): boolean {
  return typeof value === "object" && value !== null && "request" in value && value.request === "start";
}

const PREFIX = "/api/v1/";

/** The native protocol's routes: one path for each pattern. */
export const streamer: Route = {
  dialect: "streamer",
  paths: Object.keys(PATTERNS).map((name) => PREFIX + name),
  credentials: (request) => ({ token: bearerToken(request.headers), ticket: ticketOf(request) }),
  choose(offered) {
    if (offered.length === 0) return undefined;
    if (offered.some((name) => name.toLowerCase() === SUBPROTOCOL)) return SUBPROTOCOL;
    // What was offered may be a secret: browsers have no other header to put a token in.
    const message = `Sec-WebSocket-Protocol: found only others; allowed: ${SUBPROTOCOL}, or none`;
    return new ProtocolError("invalid_request", message);
  },
  refuse: errorEvent,
  open(path, _request, { limits }) {
    const name = path.slice(PREFIX.length);
    const pattern = PATTERNS[name];
    if (pattern === undefined) throw new Error(`no pattern is called ${name}`);
    return {
      dialect: "streamer",
      pattern,
      traits: { maxTextBytes: limits.max_text_bytes, binaryIsAudio: true, pingsCount: false },
      create: () => new StreamerDialect(limits.max_channels),
    };
  },
};
