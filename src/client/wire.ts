import { messageOf } from "../lib/thrown.ts";
import { ConnectionError } from "./errors.ts";
import { EventReader, type ReceivedEvent } from "./event-reader.ts";
import { type ClientSocket, OPEN } from "./socket.ts";

/** Close code for a server that breaks the protocol; 3000 to 3999 are for libraries (RFC 6455, section 7.4.2). */
const PROTOCOL_ERROR_CLOSE = 3002;

/** Between two looks at a full buffer, in milliseconds. */
const FIRST_POLL_MS = 1;
const LAST_POLL_MS = 32;

/** The client, as its connection reports to it. */
export interface WireOwner {
  message(): void;
  received(event: ReceivedEvent): void;
  /** The connection has ended. @param isFault by a fault of the server's protocol, or in the middle of a result */
  ended(error: ConnectionError, isFault: boolean): void;
}

/** One WebSocket: messages are assembled to events, and it ends once. */
export class Wire {
  readonly socket: ClientSocket;
  readonly #owner: WireOwner;
  readonly #reader = new EventReader();
  #ended = false;

  /** @param now returns milliseconds */
  constructor(socket: ClientSocket, now: () => number, owner: WireOwner) {
    this.socket = socket;
    this.#owner = owner;
    socket.onmessage = ({ data }) => this.#receive(data, now());
    socket.onclose = ({ code, reason }) => {
      const message = `the connection was closed (${code}${reason && `: ${reason}`})`;
      this.#end(new ConnectionError("closed", message, code, reason), this.#reader.awaitsAudio);
    };
  }

  /** Its end has been reported, or it was dropped. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  get isOpen(): boolean {
    return !this.#ended && this.socket.readyState === OPEN;
  }

  get bufferedBytes(): number {
    return this.socket.bufferedAmount;
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.socket.send(data);
  }

  /** Waits until at most `most` bytes are unsent, or it has ended. Rejects with the reason of the signal. */
  async untilRoom(most: number, signal: AbortSignal | undefined): Promise<void> {
    // The WebSocket API has no event for a drained buffer.
    let delay = FIRST_POLL_MS;
    while (this.isOpen && this.bufferedBytes > most) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      delay = Math.min(delay * 2, LAST_POLL_MS);
      signal?.throwIfAborted();
    }
  }

  /** Ends the connection without a report. */
  drop(code = 1000, reason = ""): void {
    this.#ended = true;
    this.socket.close(code, reason);
  }

  #receive(data: unknown, now: number): void {
    if (this.#ended) return;
    this.#owner.message();
    let received: ReceivedEvent | undefined;
    try {
      received = this.#reader.read(data, now);
    } catch (error) {
      this.#end(new ConnectionError("protocol", `the server broke the protocol: ${messageOf(error)}`), true);
      this.socket.close(PROTOCOL_ERROR_CLOSE, "protocol");
      return;
    }
    if (received !== undefined) this.#owner.received(received);
  }

  #end(error: ConnectionError, isFault: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#owner.ended(error, isFault);
  }
}
