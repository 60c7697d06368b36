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

function checked(result: number, what: string): number {
  if (result >= 0) return result;
  const code = getSystemErrorName(result);
  throw Object.assign(new Error(`cannot ${what}: ${code}`), { code });
}
