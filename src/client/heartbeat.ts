import { type ClientSocket, OPEN } from "./socket.ts";

/** The control frames of a connection that show that its peer is alive (RFC 6455, sections 5.5.2 and 5.5.3). */
export class Heartbeat {
  #socket: ClientSocket;
  #received = 0;
  readonly #count = () => void (this.#received += 1);

  constructor(socket: ClientSocket) {
    this.#socket = socket;
    this.follow(socket);
  }

  /** Goes on with another connection. */
  follow(socket: ClientSocket): void {
    this.#socket = socket;
    socket.addEventListener?.("ping", this.#count);
    socket.addEventListener?.("pong", this.#count);
  }

  /** Pings and pongs received. A server that reads no audio for a while cannot answer a ping, but may send its own. */
  get received(): number {
    return this.#received;
  }

  /** Sends a ping, which every server answers when it reads it. Bun and Node.js can; browsers and Deno cannot. */
  ping(): void {
    if (this.#socket.readyState === OPEN) this.#socket.ping?.();
  }
}
