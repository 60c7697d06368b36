import type { Ended } from "../protocol/ending.ts";
import type { Connection } from "./connection.ts";

/**
 * The connection of a call. Its session outlives it: a telephone that is put down has sent its last words, and those who
 * watch the call are still to get them.
 */
export class CallConnection implements Connection {
  readonly #inner: Connection;
  readonly #left: () => void;
  #state: "open" | "gone" | "closed" = "open";

  /** @param left called when the session has ended after the connection was gone */
  constructor(inner: Connection, left: () => void) {
    this.#inner = inner;
    this.#left = left;
  }

  get buffered(): number {
    return this.#state === "gone" ? 0 : this.#inner.buffered;
  }

  /** The connection is gone, and its session is not over. */
  get lingers(): boolean {
    return this.#state === "gone";
  }

  /** The connection is gone. Returns true when its session is not over. */
  gone(): boolean {
    if (this.#state === "open") this.#state = "gone";
    return this.lingers;
  }

  send(message: string | Uint8Array): void {
    if (this.#state !== "gone") this.#inner.send(message);
  }

  pause(): void {
    if (this.#state !== "gone") this.#inner.pause();
  }

  resume(): void {
    if (this.#state !== "gone") this.#inner.resume();
  }

  close(end: Ended): void {
    const wasGone = this.#state === "gone";
    this.#state = "closed";
    if (wasGone) this.#left();
    else this.#inner.close(end);
  }
}
