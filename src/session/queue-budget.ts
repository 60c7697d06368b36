/** Share of what is left that one session may queue: the fuller the queues of all, the less each gets. */
const SHARE = 1 / 8;
/** What a session may queue in any case, in bytes. */
const LEAST_BYTES = 4_096;

/** Bytes that the queues of all sessions may hold together. */
export class QueueBudget {
  readonly #total: number;
  #used = 0;

  /** @param total bytes */
  constructor(total: number) {
    this.#total = total;
  }

  /** Bytes in all queues. */
  get used(): number {
    return this.#used;
  }

  /** More than half of the bytes are used. */
  get tight(): boolean {
    return this.#used > this.#total / 2;
  }

  /** Returns the bytes that one session may queue now. @param most its own limit */
  limit(most: number): number {
    return Math.min(most, Math.max(LEAST_BYTES, (this.#total - this.#used) * SHARE));
  }

  /** A queue has grown or shrunk. */
  change(bytes: number): void {
    this.#used += bytes;
  }

  /** Takes the sum of all queues, where it is only known now and then. */
  set(bytes: number): void {
    this.#used = bytes;
  }
}
