import { Handle, native } from "./library.ts";
import { checkInteger } from "./range.ts";

/** Largest capacity, SA_MAX_SESSIONS. */
export const MAX_SESSIONS = 1_000_000;
/** Largest number of an owner, SA_MAX_OWNER. */
export const MAX_OWNER = 32_767;

const FULL = -1;
const KEY_LIMIT = -2;

/** Limits of a claim: sessions of all processes, and those with the key of the claim; 0: no limit. */
export interface ClaimLimits {
  readonly all: number;
  readonly key: number;
}

/** The open sessions of several processes, in shared memory. See native/streamer_audio.h. */
export class SessionTable {
  readonly capacity: number;
  readonly #handle: Handle;

  /** Creates an empty table. @param capacity 1 to MAX_SESSIONS, else RangeError */
  static create(capacity: number): SessionTable {
    checkInteger("capacity", capacity, 1, MAX_SESSIONS);
    return new SessionTable(capacity, native().sa_session_table_new(capacity));
  }

  /** Opens the table that a descriptor refers to. Throws RangeError when it is none of this capacity. */
  static open(fd: number, capacity: number): SessionTable {
    return new SessionTable(capacity, native().sa_session_table_open(fd));
  }

  private constructor(capacity: number, pointer: ConstructorParameters<typeof Handle>[1]) {
    this.capacity = capacity;
    this.#handle = new Handle("SessionTable", pointer, native().sa_session_table_free);
  }

  /** Descriptor of the memory, for a child process. */
  get fd(): number {
    return native().sa_session_table_fd(this.#handle.pointer);
  }

  /**
   * Opens a session.
   * @param owner 1 to MAX_OWNER; @param key 48 bits
   * @returns its place, or the limit that it would exceed
   */
  claim(owner: number, key: number, limits: ClaimLimits): number | keyof ClaimLimits {
    checkInteger("owner", owner, 1, MAX_OWNER);
    checkInteger("key", key, 0, 2 ** 48 - 1);
    checkInteger("limit", limits.all, 1, this.capacity);
    checkInteger("limit of a key", limits.key, 0, MAX_SESSIONS);
    const [high, low] = [Math.floor(key / 2 ** 32), key % 2 ** 32];
    const { sa_session_table_claim } = native();
    const place = sa_session_table_claim(this.#handle.pointer, owner, high, low, limits.all, limits.key);
    if (place === FULL) return "all";
    if (place === KEY_LIMIT) return "key";
    checkInteger("place", place, 0, this.capacity - 1);
    return place;
  }

  /** Closes the session of an owner at a place. Returns false when it has none there. */
  release(owner: number, place: number): boolean {
    return native().sa_session_table_release(this.#handle.pointer, owner, place) === 1;
  }

  /** Returns true while fewer than `limit` sessions are open. */
  hasRoom(limit: number): boolean {
    return native().sa_session_table_has_room(this.#handle.pointer, limit) === 1;
  }

  /** Returns the open sessions of an owner; without one, of all. */
  count(owner = 0): number {
    return native().sa_session_table_count(this.#handle.pointer, owner);
  }

  /** Closes all sessions of an owner that has ended. Returns their number. */
  reclaim(owner: number): number {
    return native().sa_session_table_reclaim(this.#handle.pointer, owner);
  }

  [Symbol.dispose](): void {
    this.#handle.free();
  }
}
