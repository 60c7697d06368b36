import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { isObject, parseJson } from "../../protocol/message-fields.ts";

/** Characters of an id of a client that are sent back. */
const MAX_ID_CHARACTERS = 256;

/** What a client sends, as far as it is known here. */
export type ClientEvent =
  | { readonly type: "append"; readonly audio: Uint8Array }
  | { readonly type: "commit" }
  | { readonly type: "clear" }
  | { readonly type: "update"; readonly session: unknown; readonly isBeta: boolean };

/** A client's text, and the id that it has given it. */
export interface ReadEvent {
  /** An error: it is not understood. */
  readonly event: ClientEvent | ProtocolError;
  /** Null: none. */
  readonly id: string | null;
}

const KNOWN =
  "session.update, transcription_session.update, input_audio_buffer.append, input_audio_buffer.commit, " +
  "input_audio_buffer.clear";

/** Reads a text of a client. Fields that are not known are ignored. */
export function readClientEvent(message: string): ReadEvent {
  let fields: unknown;
  try {
    fields = parseJson(message);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { event: error, id: null };
  }
  if (!isObject(fields)) {
    const found = `found ${describeValue(fields)}; allowed: a JSON object with a type`;
    return { event: new ProtocolError("invalid_request", found), id: null };
  }
  const { event_id: id } = fields;
  return { event: eventOf(fields), id: typeof id === "string" ? id.slice(0, MAX_ID_CHARACTERS) : null };
}

function eventOf({ type, audio, session }: Record<string, unknown>): ClientEvent | ProtocolError {
  switch (type) {
    case "input_audio_buffer.append": {
      const bytes = typeof audio === "string" ? decodeBase64(audio) : undefined;
      if (bytes !== undefined) return { type: "append", audio: bytes };
      const message = `audio: found ${describeValue(audio)}; allowed: bytes in base64`;
      return new ProtocolError("invalid_request", message, { param: "audio" });
    }
    case "input_audio_buffer.commit":
      return { type: "commit" };
    case "input_audio_buffer.clear":
      return { type: "clear" };
    case "session.update":
    case "transcription_session.update":
      return { type: "update", session, isBeta: type !== "session.update" };
    default: {
      const message = `type: found ${describeValue(type)}; allowed: ${KNOWN}`;
      return new ProtocolError("unknown_request", message, { param: "type" });
    }
  }
}

/** Returns the bytes; undefined: this is not base64. */
function decodeBase64(text: string): Uint8Array | undefined {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digits = text.length - padding;
  // Five times as fast as `fromBase64`, but it leaves out what is none of the alphabet.
  const bytes = Buffer.from(text, "base64");
  const isWhole = padding === 0 ? digits % 4 !== 1 : text.length % 4 === 0;
  if (isWhole && bytes.length === Math.floor((digits * 3) / 4)) return bytes;
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return undefined;
  }
}
