/** Bytes of messages after which their memory is collected. */
const COLLECT_AFTER_BYTES = 16 * 1024 * 1024;
/** Collections are at least this far apart. */
const COLLECT_EVERY_MS = 50;

/**
 * Keeps the memory of messages that have been dealt with from piling up. The collector paces itself by what is alive, the whole arena
 * included, and so lets hundreds of MiB of messages gather before it looks (Bun 1.4.5); this asks it to, in the background, by what
 * has come in.
 */
export class Garbage {
  readonly #clock: () => number;
  #bytes = 0;
  #collectedAt = 0;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts a message that has been received. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_AFTER_BYTES) return;
    const now = this.#clock();
    if (now - this.#collectedAt < COLLECT_EVERY_MS) return;
    this.#bytes = 0;
    this.#collectedAt = now;
    Bun.gc(false);
  }
}
