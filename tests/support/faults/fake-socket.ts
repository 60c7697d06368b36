import type { ServerWebSocket, WebSocketHandler } from "bun";

import type { SocketData } from "../../../src/server/websocket-connection.ts";
import type { Accepted } from "../../../src/session/connection.ts";

const OPEN = 1;
const CLOSED = 3;
/** The code of a connection that ends without a close. */
const ABNORMAL = 1006;

/** A socket of Bun's in memory, whose client is the test, and which takes all that is sent at once. */
export class FakeSocket {
  readonly data: SocketData;
  /** Faults that the handler has thrown, which Bun gives to its `error`. */
  readonly thrown: unknown[] = [];
  readyState = OPEN;
  isPaused = false;
  isClosedByServer = false;
  readonly #handler: WebSocketHandler<SocketData>;

  constructor(handler: WebSocketHandler<SocketData>, accepted: Accepted) {
    this.#handler = handler;
    this.data = { accepted, peer: "192.0.2.1 1", connection: undefined, session: undefined };
  }

  /** The upgrade is done. */
  open(): void {
    this.#call((ws) => void this.#handler.open?.(ws));
  }

  /** The client sends a message. */
  receive(message: string | Uint8Array): void {
    if (this.readyState !== OPEN) return;
    const bytes = typeof message === "string" ? message : Buffer.from(message);
    this.#call((ws) => void this.#handler.message?.(ws, bytes));
  }

  /** The client is gone. */
  vanish(): void {
    this.#end(ABNORMAL, "");
  }

  // What the server calls.

  close(code: number, reason: string): void {
    this.isClosedByServer = true;
    this.#end(code, reason);
  }

  terminate(): void {
    this.close(ABNORMAL, "");
  }

  #end(code: number, reason: string): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSED;
    // Bun calls it later, too.
    queueMicrotask(() => this.#call((ws) => void this.#handler.close?.(ws, code, reason)));
  }

  getBufferedAmount(): number {
    return 0;
  }

  sendText(message: string): number {
    return message.length;
  }

  sendBinary(message: Uint8Array): number {
    return message.length;
  }

  ping(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  #call(act: (ws: ServerWebSocket<SocketData>) => void): void {
    try {
      act(this as unknown as ServerWebSocket<SocketData>);
    } catch (error) {
      this.thrown.push(error);
    }
  }
}
