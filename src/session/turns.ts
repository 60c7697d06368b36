/** Milliseconds of the main thread that one session may use at a time. */
export const SLICE_MS = 2;
/** A session gets a new slice after so many milliseconds, or when it has waited for its turn. */
const RENEWAL_MS = 10;
/** The same for all sessions together that wait for their turn; the rest of it belongs to those that do not. */
const WAITING_MS = 8;

/** A session that has more to do than fits into its slice. */
export interface Waiting {
  /** Goes on, with a new slice. */
  takeTurn(): void;
  /** Ends the session after a fault of the server. */
  failed(error: unknown): void;
}

/**
 * Shares the main thread between sessions, so that no client stops the others. Bun 1.4.5 hands over everything that it
 * has read from a socket at once, up to 512 KiB, which may be 80,000 messages. A session handles what fits into its
 * slice; what does not waits in its inbox for the session's turn. Waiting sessions go on one after the other.
 */
export class Turns {
  readonly #clock: () => number;
  readonly #defer: (task: () => void) => void;
  readonly #waiting = new Set<Waiting>();
  #scheduled = false;

  /**
   * @param clock returns milliseconds, monotonic
   * @param defer runs a task after the sockets have been read once more
   */
  constructor(clock: () => number, defer: (task: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#defer = defer;
  }

  /** Sessions that wait for their next turn. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Returns true if a session waits for its next turn. */
  has(session: Waiting): boolean {
    return this.#waiting.has(session);
  }

  /** Lets a session go on in its next turn. */
  wait(session: Waiting): void {
    this.#waiting.add(session);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#defer(() => this.#begin());
  }

  #begin(): void {
    this.#scheduled = false;
    const until = this.#clock() + WAITING_MS;
    // Those that wait again during this turn are not called twice.
    let left = this.#waiting.size;
    for (const session of this.#waiting) {
      this.#waiting.delete(session);
      try {
        session.takeTurn();
      } catch (error) {
        session.failed(error);
      }
      left -= 1;
      if (left === 0 || this.#clock() >= until) break;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }
}

/** The share of the main thread of one session. */
export class Slice {
  readonly #turns: Turns;
  readonly #session: Waiting;
  readonly #clock: () => number;
  readonly #step: () => boolean;
  /** When the slice was given, in milliseconds. */
  #since = -Infinity;
  #usedMs = 0;

  /**
   * @param clock returns milliseconds, monotonic
   * @param step does one piece of work; returns false when nothing can be done now
   */
  constructor(turns: Turns, session: Waiting, clock: () => number, step: () => boolean) {
    this.#turns = turns;
    this.#session = session;
    this.#clock = clock;
    this.#step = step;
  }

  /**
   * Does what can be done now and fits into the slice. The session waits for its turn if there is more.
   * @param now milliseconds
   */
  run(now: number): void {
    if (this.#turns.has(this.#session)) return;
    if (now - this.#since >= RENEWAL_MS) this.renew(now);
    const begun = now - this.#usedMs;
    while (this.#usedMs < SLICE_MS) {
      const moved = this.#step();
      this.#usedMs = this.#clock() - begun;
      if (!moved) return;
    }
    this.#turns.wait(this.#session);
  }

  /** Gives a new slice. @param now milliseconds */
  renew(now: number): void {
    this.#since = now;
    this.#usedMs = 0;
  }
}
