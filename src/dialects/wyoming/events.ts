import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type Fields, isObject, parseJson } from "../../protocol/message-fields.ts";

/*
 * Events of the Wyoming protocol. On the wire one is a line of JSON, then `data_length` bytes of JSON that belong to
 * its `data`, then `payload_length` bytes. Here the line and the data are one text, the line break between them, and pieces
 * of the payload are binary messages behind it.
 */

/** Version of the protocol that is spoken. */
const VERSION = "1.10.2";

/** The line of an event. */
export interface EventLine {
  readonly type: string;
  /** The data in the line itself. */
  readonly data: Fields;
  /** Bytes of JSON behind the line. */
  readonly dataBytes: number;
  /** Bytes behind that. */
  readonly payloadBytes: number;
}

/** An event without its payload. */
export interface WyomingEvent {
  readonly type: string;
  readonly data: Fields;
  readonly payloadBytes: number;
}

/** Parses the line of an event. Throws ProtocolError when it is none. */
export function readLine(line: string): EventLine {
  const value = parseJson(line);
  if (!isObject(value)) throw invalid("event", value, "a JSON object in one line");
  const { type, data, data_length, payload_length } = value;
  if (typeof type !== "string") throw invalid("type", type, "a text");
  return {
    type,
    data: readData(data ?? {}),
    dataBytes: readLength("data_length", data_length),
    payloadBytes: readLength("payload_length", payload_length),
  };
}

/** Parses an event: its line, and its data behind a line break. Throws ProtocolError when it is none. */
export function readEvent(text: string): WyomingEvent {
  const end = text.indexOf("\n");
  const { type, data, payloadBytes } = readLine(end === -1 ? text : text.slice(0, end));
  const behind = end === -1 ? "" : text.slice(end + 1);
  if (behind === "") return { type, data, payloadBytes };
  return { type, data: { ...data, ...readData(parseJson(behind)) }, payloadBytes };
}

/** Writes an event as it goes over the wire. */
export function writeEvent(type: string, data: Fields = {}): string {
  // Clients written in Python look for data behind the line, and older ones only there.
  const behind = Object.keys(data).length === 0 ? "" : JSON.stringify(data);
  const length = behind === "" ? {} : { data_length: Buffer.byteLength(behind) };
  return `${JSON.stringify({ type, version: VERSION, ...length })}\n${behind}`;
}

function readData(value: unknown): Fields {
  if (isObject(value)) return value;
  throw invalid("data", value, "an object");
}

function readLength(field: string, value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(field, value, "a whole number of bytes");
}

function invalid(param: string, found: unknown, allowed: string): ProtocolError {
  const message = `${param}: found ${describeValue(found)}; allowed: ${allowed}`;
  return new ProtocolError("invalid_request", message, { param });
}
