import { MAX_OWNER, SessionTable } from "../native/session-table.ts";

/** Most tickets that are remembered as used: those of 2,000 connections a second for as long as tickets are valid. */
export const MAX_USED_TICKETS = 65_536;

/** Most of them for one token, so that a single client cannot take the room of all others. Processes divide it. */
export const MAX_USED_BY_TOKEN = MAX_USED_TICKETS / 8;

/** The result of using a ticket: it was not used before; it was; there is no room to remember it. */
export type Use = "first" | "again" | "full";

/**
 * The tickets that have been used, in memory that all processes of a server may share: a session table in which every
 * ticket is a session of its own, and may have one.
 */
export class UsedTickets implements Disposable {
  readonly #table: SessionTable;
  readonly #owner: number;
  readonly #mostByToken: number;
  /** Places of the table, and when they are free again, the earliest first. */
  readonly #used: { readonly place: number; readonly token: string; readonly until: number }[] = [];
  /** Number of them by token. */
  readonly #byToken = new Map<string, number>();

  /** The list of a server with one process. */
  static create(): UsedTickets {
    return new UsedTickets(SessionTable.create(MAX_USED_TICKETS), MAX_OWNER);
  }

  /**
   * @param table of MAX_USED_TICKETS places, the list's own from now on @param owner number of this process in it
   * @param processes that share the table
   */
  constructor(table: SessionTable, owner: number, processes = 1) {
    this.#table = table;
    this.#owner = owner;
    this.#mostByToken = Math.ceil(MAX_USED_BY_TOKEN / processes);
  }

  /**
   * Uses a ticket.
   * @param key 48 bits that stand for it @param token stands for its token
   * @param until time up to which it is remembered @param now both in milliseconds of a clock that nobody can set
   */
  use(key: number, token: string, until: number, now: number): Use {
    this.#forget(now);
    const count = this.#byToken.get(token) ?? 0;
    if (count >= this.#mostByToken) return "full";
    const place = this.#table.claim(this.#owner, key, { all: MAX_USED_TICKETS, key: 1 });
    if (place === "key") return "again";
    if (place === "all") return "full";
    this.#used.push({ place, token, until });
    this.#byToken.set(token, count + 1);
    return "first";
  }

  [Symbol.dispose](): void {
    this.#table[Symbol.dispose]();
  }

  #forget(now: number): void {
    let passed = 0;
    for (; (this.#used[passed]?.until ?? Infinity) <= now; passed++) {
      const { place, token } = this.#used[passed]!;
      this.#table.release(this.#owner, place);
      const left = (this.#byToken.get(token) ?? 1) - 1;
      if (left > 0) this.#byToken.set(token, left);
      else this.#byToken.delete(token);
    }
    if (passed > 0) this.#used.splice(0, passed);
  }
}
