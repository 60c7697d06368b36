import { getSystemErrorName } from "node:util";

import { native } from "./library.ts";
import { checkInteger } from "./range.ts";

/** The listening socket of a server in this process. It outlives the server when it is moved to another one. */
export class ListeningSocket {
  readonly #fd: number;

  /** Finds the socket that listens on a TCP port. Throws an Error with a `code`: there is none, or more than one. */
  constructor(port: number) {
    checkInteger("port", port, 1, 65_535);
    this.#fd = checked(native().sa_listener_find(port), `find the socket that listens on port ${port}`);
  }

  /**
   * Moves this socket to the server of `other`, whose own socket is closed. The server that had it gets no more
   * connections, and no end of them: it stays as it is. Throws an Error with a `code`.
   */
  moveTo(other: ListeningSocket): void {
    checked(native().sa_listener_move(this.#fd, other.#fd), "move a listening socket");
  }
}

/** What a server accepts, SA_ACCEPT_NONE and others. */
const MODES = { none: 0, once: 1, all: 2 } as const;
/** Words of a watch, SA_WATCH_WORDS. */
const WATCH_WORDS = 3;

/**
 * The gate of a listening socket: which connections its server accepts. It is of no use any more when the socket has
 * been moved. Passing it needs no file descriptor.
 */
export class ListeningGate {
  readonly #fd: number;
  readonly #watch = new BigUint64Array(WATCH_WORDS);

  /** Throws an Error with a `code`: no socket, or more than one, listens on the port, or no event loop watches it. */
  constructor(port: number) {
    checkInteger("port", port, 1, 65_535);
    this.#fd = checked(native().sa_listener_find(port), `find the socket that listens on port ${port}`);
    checked(native().sa_listener_watch(this.#fd, this.#watch), "find the event loop of a listening socket");
  }

  /**
   * Accepts from now on no connections, those that wait now (or the next ones, if none does) and then none, or all.
   * Returns false when it cannot: the server does not listen any more.
   */
  accept(mode: keyof typeof MODES): boolean {
    return native().sa_listener_accept(this.#fd, this.#watch, MODES[mode]) === 0;
  }
}

function checked(result: number, what: string): number {
  if (result >= 0) return result;
  const code = getSystemErrorName(result);
  throw Object.assign(new Error(`cannot ${what}: ${code}`), { code });
}
