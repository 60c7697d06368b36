import * as v from "valibot";

import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { isObject, parseJson } from "../../protocol/message-fields.ts";
import type { CallMessage, CallReader } from "../call-dialect.ts";
import { parameterText, presentText, wishesIn } from "../call-parameters.ts";
import type { Message } from "../dialect.ts";
import { isKnownEvent, type TwilioMessage, twilioMessageSchema, type TwilioStart } from "./messages.ts";

/** The track of the person who is on the telephone, which counts when there are several. */
const INBOUND = "inbound";

/** Sample formats by the names that Twilio, and services with the same messages, have for them. */
const ENCODINGS: Readonly<Record<string, object>> = {
  "audio/x-mulaw": { bit_depth: 8, is_float: false, encoding: "mulaw" },
  "audio/x-alaw": { bit_depth: 8, is_float: false, encoding: "alaw" },
  "audio/x-l16": { bit_depth: 16, is_float: false, encoding: "pcm" },
};

/** Reads the messages of Twilio Media Streams: audio in base64, of one track. */
export class TwilioReader implements CallReader {
  readonly #session: string;
  /** The track whose audio counts. */
  #track = INBOUND;

  /** @param session the name of a call that has none */
  constructor(session: string) {
    this.#session = session;
  }

  read(message: Message): CallMessage | undefined {
    if (typeof message !== "string") {
      throw new ProtocolError("invalid_request", "found a binary message; allowed: messages in JSON");
    }
    const known = readMessage(message);
    if (known === undefined) return undefined;
    switch (known.event) {
      case "start":
        return this.#start(known);
      case "media": {
        const { track = this.#track, payload } = known.media;
        return track === this.#track ? { kind: "audio", bytes: decode(payload) } : undefined;
      }
      case "stop":
        return { kind: "stop" };
    }
  }

  #start({ start, streamSid }: TwilioStart): CallMessage {
    const { callSid, tracks = [INBOUND], mediaFormat, customParameters = {} } = start;
    this.#track = tracks.includes(INBOUND) ? INBOUND : (tracks[0] ?? INBOUND);
    const parameters = Object.fromEntries(
      Object.entries(customParameters).map(([name, value]) => [name, parameterText(value)]),
    );
    return {
      kind: "start",
      details: { call: presentText(callSid ?? start.streamSid ?? streamSid) ?? this.#session, parameters },
      format: formatOf(mediaFormat),
      wishes: wishesIn((name) => (Object.hasOwn(parameters, name) ? parameters[name] : undefined)),
    };
  }
}

/** Returns a message that has an effect; undefined: it has none. Throws ProtocolError. */
function readMessage(message: string): TwilioMessage | undefined {
  const fields = parseJson(message);
  if (!isObject(fields) || typeof fields["event"] !== "string") {
    throw new ProtocolError("invalid_request", `found ${describeValue(fields)}; allowed: an object with an "event"`);
  }
  if (!isKnownEvent(fields["event"])) return undefined;
  const result = v.safeParse(twilioMessageSchema, fields);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const param = v.getDotPath(issue) ?? "message";
  const found = `${param}: found ${describeValue(issue.input)}; allowed: ${issue.message}`;
  throw new ProtocolError("invalid_request", found, { param });
}

function formatOf({ encoding, sampleRate }: TwilioStart["start"]["mediaFormat"]): object | ProtocolError {
  const layout = Object.hasOwn(ENCODINGS, encoding) ? ENCODINGS[encoding] : undefined;
  if (layout !== undefined) return { channels: 1, sample_rate: sampleRate, ...layout };
  const param = "start.mediaFormat.encoding";
  const allowed = Object.keys(ENCODINGS).join(", ");
  return new ProtocolError("unsupported_format", `${param}: found ${describeValue(encoding)}; allowed: ${allowed}`, {
    param,
  });
}

function decode(payload: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(payload);
  } catch {
    const message = "media.payload: found text that is not base64; allowed: audio in base64";
    throw new ProtocolError("invalid_request", message, { param: "media.payload" });
  }
}
