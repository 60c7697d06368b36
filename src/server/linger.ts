import type { Ended } from "../protocol/ending.ts";

/**
 * Longest time without progress for the last messages of a session that is over, in milliseconds. The kernel asks for
 * more when a third of its megabytes has left.
 */
const LINGER_MS = 8_000;
/** The same for a client that has not read for long already. */
const SLOW_LINGER_MS = 4_000;

/**
 * The patience with a client whose session is over: it may take its last results as slowly as its network is, but not
 * stop taking them.
 */
export class Linger {
  readonly #patienceMs: number;
  /** Bytes that waited at the last progress. */
  #waiting: number;
  /** Time at which the patience ends. */
  #until: number;

  /** @param waiting bytes that the client has not taken @param now milliseconds */
  constructor({ ending }: Pick<Ended, "ending">, waiting: number, now: number) {
    this.#patienceMs = ending === "slow_reader" ? SLOW_LINGER_MS : LINGER_MS;
    this.#waiting = waiting;
    this.#until = now + this.#patienceMs;
  }

  /** Waits up to this time, in milliseconds, if nothing is taken before. */
  waitUntil(time: number): void {
    this.#until = time;
  }

  /** Returns true when the client has taken nothing for too long. */
  isOver(waiting: number, now: number): boolean {
    if (waiting < this.#waiting) {
      this.#waiting = waiting;
      this.#until = now + this.#patienceMs;
    }
    return now >= this.#until;
  }
}
