import { createHmac } from "node:crypto";

import type { SessionTable } from "../../native/session-table.ts";
import type { Caller } from "../../protocol/caller.ts";
import type { NoPlace, Place, SessionPlaces } from "../../session/session-places.ts";

export interface SharedPlacesOptions {
  readonly table: SessionTable;
  /** Owner of the sessions of this process. */
  readonly owner: number;
  /** Most sessions of all processes. */
  readonly limit: number;
  /** The same in all processes, and unknown to clients: they cannot choose an id whose key is that of another caller. */
  readonly secret: Uint8Array;
}

/** The places of a server with several processes, counted in shared memory. */
export class SharedPlaces implements SessionPlaces {
  readonly #options: SharedPlacesOptions;

  constructor(options: SharedPlacesOptions) {
    this.#options = options;
  }

  hasRoom(): boolean {
    return this.#options.table.hasRoom(this.#options.limit);
  }

  claim(caller: Caller): Place | NoPlace {
    const { table, owner, limit } = this.#options;
    const { maxSessions } = caller.limits;
    const place = table.claim(owner, this.#keyOf(caller), { all: limit, key: maxSessions });
    if (place === "key") return "caller";
    if (place === "all") return "all";
    return { release: () => void table.release(owner, place) };
  }

  /** Returns 48 bits that stand for a caller. */
  #keyOf({ id }: Caller): number {
    return createHmac("sha256", this.#options.secret).update(id).digest().readUIntBE(0, 6);
  }
}
