import { MAX_OWNER, SessionTable } from "../native/session-table.ts";

/** Most tickets that are remembered as used: those of 2,000 connections a second for as long as tickets are valid. */
export const MAX_USED_TICKETS = 65_536;

/** The result of using a ticket: it was not used before; it was; there is no room to remember it. */
export type Use = "first" | "again" | "full";

/**
 * The tickets that have been used, in memory that all processes of a server may share: a session table in which every
 * ticket is a session of its own, and may have one.
 */
export class UsedTickets implements Disposable {
  readonly #table: SessionTable;
  readonly #owner: number;
  /** Places of the table, and when they are free again, the earliest first. */
  readonly #used: { readonly place: number; readonly until: number }[] = [];

  /** The list of a server with one process. */
  static create(): UsedTickets {
    return new UsedTickets(SessionTable.create(MAX_USED_TICKETS), MAX_OWNER);
  }

  /** @param table of MAX_USED_TICKETS places, the list's own from now on @param owner number of this process in it */
  constructor(table: SessionTable, owner: number) {
    this.#table = table;
    this.#owner = owner;
  }

  /**
   * Uses a ticket.
   * @param key 48 bits that stand for it @param until time up to which it is remembered @param now both in milliseconds
   */
  use(key: number, until: number, now: number): Use {
    this.#forget(now);
    const place = this.#table.claim(this.#owner, key, { all: MAX_USED_TICKETS, key: 1 });
    if (place === "key") return "again";
    if (place === "all") return "full";
    this.#used.push({ place, until });
    return "first";
  }

  [Symbol.dispose](): void {
    this.#table[Symbol.dispose]();
  }

  #forget(now: number): void {
    let passed = 0;
    for (; (this.#used[passed]?.until ?? Infinity) <= now; passed++) {
      this.#table.release(this.#owner, this.#used[passed]!.place);
    }
    if (passed > 0) this.#used.splice(0, passed);
  }
}
