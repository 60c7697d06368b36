import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { isObject, parseJson } from "../../protocol/message-fields.ts";
import type { CallMessage, CallReader, CallWishes } from "../call-dialect.ts";
import { parameterText, presentText } from "../call-parameters.ts";
import type { Message } from "../dialect.ts";
import { formatOf } from "./formats.ts";

const START = "MEDIA_START";
/** The beginning of a control message in plain text: most have several words. */
const CONTROL = /^(?:STATUS|ERROR|[A-Z]+(?:_[A-Z]+)+)(?: |$)/;
/** Fields of the start that those who watch the call see. */
const SHOWN = ["channel", "channel_id", "connection_id"] as const;

export interface AsteriskReaderOptions {
  /** Name of the call, as the dialplan gives it; undefined: the id of its channel. */
  readonly call: string | undefined;
  readonly wishes: CallWishes;
  /** Name of a call that has none. */
  readonly session: string;
}

/**
 * Reads the messages of Asterisk's channel driver for WebSockets: control messages, as plain text or in JSON, and binary
 * ones with the audio of the channel.
 */
export class AsteriskReader implements CallReader {
  readonly #options: AsteriskReaderOptions;

  constructor(options: AsteriskReaderOptions) {
    this.#options = options;
  }

  read(message: Message): CallMessage | undefined {
    if (typeof message !== "string") return { kind: "audio", bytes: message };
    const fields = startFields(message);
    if (fields === undefined) return undefined;
    const { call, wishes, session } = this.#options;
    const parameters = Object.fromEntries(
      SHOWN.flatMap((name) => (fields.has(name) ? [[name, parameterText(fields.get(name))]] : [])),
    );
    return {
      kind: "start",
      details: { call: call ?? presentText(parameters["channel_id"]) ?? session, parameters },
      format: formatOf(fields.get("format")),
      wishes,
    };
  }
}

/** Returns the fields of the message that starts the audio; undefined: it is another one. Throws ProtocolError. */
function startFields(message: string): ReadonlyMap<string, unknown> | undefined {
  if (!message.trimStart().startsWith("{")) {
    if (!CONTROL.test(message)) throw noControl(message);
    const [event, ...fields] = message.trim().split(/ +/);
    if (event !== START) return undefined;
    return new Map(
      fields.map((field): [string, string] => {
        const colon = field.indexOf(":");
        return colon === -1 ? [field, ""] : [field.slice(0, colon), field.slice(colon + 1)];
      }),
    );
  }
  const value = parseJson(message);
  if (!isObject(value) || typeof value["event"] !== "string") throw noControl(value);
  return value["event"] === START ? new Map(Object.entries(value)) : undefined;
}

function noControl(found: unknown): ProtocolError {
  const allowed = `control messages, such as ${START}, as text or in JSON`;
  return new ProtocolError("invalid_request", `found ${describeValue(found)}; allowed: ${allowed}`);
}
