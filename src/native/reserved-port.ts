import { closeSync } from "node:fs";
import { getSystemErrorName } from "node:util";

import { native } from "./library.ts";
import { checkInteger } from "./range.ts";

/** A TCP port on which processes of this user may listen with `reusePort`, and no other server. */
export class ReservedPort implements Disposable {
  readonly port: number;
  readonly #fd: number;
  #isOpen = true;

  /**
   * Reserves a port. Throws an Error with a `code` such as EADDRINUSE.
   * @param address numeric, IPv4 or IPv6; @param port 0 selects a free one
   */
  constructor(address: string, port: number) {
    checkInteger("port", port, 0, 65_535);
    this.#fd = native().sa_port_reserve(Buffer.from(`${address}\0`), port);
    if (this.#fd < 0) {
      const code = getSystemErrorName(this.#fd);
      throw Object.assign(new Error(`cannot reserve port ${port} of ${address}: ${code}`), { code });
    }
    this.port = native().sa_port_number(this.#fd);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}
