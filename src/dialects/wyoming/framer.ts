import { ProtocolError } from "../../protocol/errors.ts";
import type { Message } from "../dialect.ts";
import type { Framer } from "../port.ts";
import { type EventLine, readEvent, readLine } from "./events.ts";

/** Longest line of an event. */
export const MAX_LINE_BYTES = 65_536;
/** Pieces that are kept as they came: a client may send one byte at a time. */
const MAX_PIECES = 64;
const LINE_BREAK = 0x0a;

/** The event of which bytes are missing. */
interface Begun {
  readonly line: string;
  readonly head: EventLine;
}

export interface WyomingLimits {
  /** Most bytes of data behind a line. */
  readonly maxDataBytes: number;
  /** Most bytes of one payload. */
  readonly maxPayloadBytes: number;
}

/**
 * Cuts the bytes of a Wyoming connection into texts, an event each, and pieces of audio as they come, so that nobody
 * waits for the end of a payload and nothing keeps it. Of chunks of audio in a row with the same format only the first
 * has a text. The payload of any other event is left out.
 */
export class WyomingFramer implements Framer {
  readonly #limits: WyomingLimits;
  /** The beginning of a line or of data. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #begun: Begun | undefined;
  /** Bytes of the payload that have not come. */
  #payloadLeft = 0;
  #isAudio = false;
  /** Format of the chunk before, if the event before was one with audio. */
  #format: string | undefined;

  constructor(limits: WyomingLimits) {
    this.#limits = limits;
  }

  *push(bytes: Uint8Array): Generator<Message, void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#payloadLeft > 0) {
        const piece = bytes.subarray(at, at + this.#payloadLeft);
        at += piece.length;
        this.#payloadLeft -= piece.length;
        if (this.#isAudio) yield piece;
      } else {
        const end = this.#begun === undefined ? this.#endOfLine(bytes, at) : this.#endOfData(this.#begun, bytes, at);
        const text = this.#keep(bytes.subarray(at, end.at), end.isComplete);
        at = end.next;
        const message = text === undefined ? undefined : this.#complete(text);
        if (message !== undefined) yield message;
      }
    }
  }

  #endOfLine(bytes: Uint8Array, from: number): { at: number; next: number; isComplete: boolean } {
    const found = bytes.indexOf(LINE_BREAK, from);
    const at = found === -1 ? bytes.length : found;
    const length = this.#keptBytes + at - from;
    if (length > MAX_LINE_BYTES) throw tooBig(`a line of ${length} bytes or more`, MAX_LINE_BYTES);
    return { at, next: found === -1 ? at : at + 1, isComplete: found !== -1 };
  }

  #endOfData({ head }: Begun, bytes: Uint8Array, from: number): { at: number; next: number; isComplete: boolean } {
    const at = Math.min(bytes.length, from + head.dataBytes - this.#keptBytes);
    return { at, next: at, isComplete: this.#keptBytes + at - from === head.dataBytes };
  }

  /** Returns the text of everything that is kept, if it is complete. */
  #keep(bytes: Uint8Array, isComplete: boolean): string | undefined {
    if (isComplete && this.#keptBytes === 0) return decode(bytes);
    // The rest of what has come with it would be kept in memory, too.
    this.#kept.push(bytes.slice());
    this.#keptBytes += bytes.length;
    if (!isComplete) {
      if (this.#kept.length === MAX_PIECES) this.#kept = [Buffer.concat(this.#kept)];
      return undefined;
    }
    const text = decode(Buffer.concat(this.#kept));
    this.#kept = [];
    this.#keptBytes = 0;
    return text;
  }

  /** Takes a line, or the data behind one. Returns the event when it is complete and somebody is to see it. */
  #complete(text: string): string | undefined {
    const begun = this.#begun;
    if (begun !== undefined) {
      this.#begun = undefined;
      return this.#enter(begun.head, `${begun.line}\n${text}`);
    }
    const head = readLine(text);
    const { maxDataBytes, maxPayloadBytes } = this.#limits;
    if (head.dataBytes > maxDataBytes) throw tooBig(`data of ${head.dataBytes} bytes`, maxDataBytes);
    if (head.payloadBytes > maxPayloadBytes) throw tooBig(`a payload of ${head.payloadBytes} bytes`, maxPayloadBytes);
    if (head.dataBytes === 0) return this.#enter(head, text);
    this.#begun = { line: text, head };
    return undefined;
  }

  /** The payload of an event comes next. */
  #enter({ type, payloadBytes }: EventLine, text: string): string | undefined {
    const { data } = readEvent(text);
    this.#payloadLeft = payloadBytes;
    this.#isAudio = type === "audio-chunk";
    // One without audio begins no stream, so that its text does not do for the next one.
    const hasAudio = this.#isAudio && payloadBytes > 0;
    const format = hasAudio ? JSON.stringify([data["rate"], data["width"], data["channels"]]) : undefined;
    const isKnown = format !== undefined && format === this.#format;
    this.#format = format;
    return isKnown ? undefined : text;
  }
}

function decode(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}

function tooBig(found: string, most: number): ProtocolError {
  return new ProtocolError("message_too_big", `${found}; allowed: at most ${most}`);
}
