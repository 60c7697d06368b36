import { ProtocolError } from "../../protocol/errors.ts";
import type { Message } from "../dialect.ts";
import type { Framer } from "../port.ts";

const HEADER_BYTES = 3;
const HANGUP = 0x00;
const UUID = 0x01;
const UUID_BYTES = 16;

/** Rates of audio by the type of its messages, Hz: 16 bit, little-endian, mono. */
const RATES: ReadonlyMap<number, number> = new Map([
  [0x10, 8_000],
  [0x11, 12_000],
  [0x12, 16_000],
  [0x13, 24_000],
  [0x14, 32_000],
  [0x15, 44_100],
  [0x16, 48_000],
  [0x17, 96_000],
  [0x18, 192_000],
]);
/** Types of messages that have no effect: a digit, and an error of Asterisk. */
const IGNORED: readonly number[] = [0x03, 0xff];

/** A message of the framer: `uuid` names the call, `rate` is in front of audio of another rate, `hangup` ends it. */
export type AudioSocketText =
  | { readonly kind: "uuid"; readonly uuid: string }
  | { readonly kind: "rate"; readonly rate: number }
  | { readonly kind: "hangup" };

/**
 * Cuts the bytes of an AudioSocket connection into texts and pieces of audio as they come, so that nothing but the header
 * of a message and a UUID is kept. A message is a type, a length of two bytes, big-endian, and so many bytes.
 */
export class AudioSocketFramer implements Framer {
  /** The beginning of a header, or of a UUID behind it. */
  readonly #kept = new Uint8Array(UUID_BYTES);
  #keptBytes = 0;
  /** Type of the message whose payload comes; undefined: a header comes. */
  #type: number | undefined;
  /** Bytes of the payload that have not come. */
  #left = 0;
  #rate = 0;

  *push(bytes: Uint8Array): Generator<Message, void> {
    for (let at = 0; at < bytes.length;) {
      if (this.#type === undefined) {
        at += this.#keep(bytes, at, HEADER_BYTES);
        if (this.#keptBytes === HEADER_BYTES) yield* this.#enter();
        continue;
      }
      const piece = bytes.subarray(at, at + this.#left);
      at += piece.length;
      this.#left -= piece.length;
      if (RATES.has(this.#type)) yield piece;
      else if (this.#type === UUID) {
        this.#keep(piece, 0, UUID_BYTES);
        if (this.#left === 0) yield text({ kind: "uuid", uuid: this.#uuid() });
      }
      if (this.#left === 0) this.#next();
    }
  }

  /** Keeps bytes up to `most` in all. Returns how many. */
  #keep(bytes: Uint8Array, at: number, most: number): number {
    const part = bytes.subarray(at, at + most - this.#keptBytes);
    this.#kept.set(part, this.#keptBytes);
    this.#keptBytes += part.length;
    return part.length;
  }

  /** A header is complete. */
  *#enter(): Generator<string, void> {
    const [type = 0, high = 0, low = 0] = this.#kept;
    const length = high * 256 + low;
    const rate = RATES.get(type);
    this.#keptBytes = 0;
    this.#type = type;
    this.#left = length;
    if (type === HANGUP) yield text({ kind: "hangup" });
    else if (type === UUID && length !== UUID_BYTES) throw invalid(`a UUID of ${length} bytes`);
    else if (rate === undefined && type !== UUID && !IGNORED.includes(type)) {
      throw invalid(`a message of type 0x${type.toString(16).padStart(2, "0")}`);
    } else if (rate !== undefined && length > 0 && rate !== this.#rate) {
      this.#rate = rate;
      yield text({ kind: "rate", rate });
    }
    if (length === 0) this.#next();
  }

  #next(): void {
    this.#type = undefined;
    this.#keptBytes = 0;
  }

  #uuid(): string {
    const hex = this.#kept.toHex();
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }
}

function text(message: AudioSocketText): string {
  return JSON.stringify(message);
}

function invalid(found: string): ProtocolError {
  const allowed = "0x00, 0x01 with 16 bytes, 0x03, 0x10 to 0x18, 0xff";
  return new ProtocolError("invalid_request", `found ${found}; allowed: messages of the types ${allowed}`);
}
