import { ProtocolError } from "../protocol/errors.ts";

/** New sample rates that one session may ask for at once, and in each second afterwards. */
const NEW_RATES = 4;
/** Rates that are remembered: returning to one of them is free. */
const REMEMBERED = 16;

/**
 * Limits how many filters one client makes the server design. The filter of a pair of rates takes about a millisecond of
 * the main thread, and is shared by all streams that use the pair.
 */
export class NewRates {
  /** Rates that this session has used, the latest last. */
  readonly #known = new Set<number>();
  #tokens = NEW_RATES;
  #filledAt: number;

  /** @param now milliseconds */
  constructor(now: number) {
    this.#filledAt = now;
  }

  /**
   * Counts a start. Throws ProtocolError `too_many_requests`.
   * @param sampleRate Hz
   * @param now milliseconds
   */
  use(sampleRate: number, now: number): void {
    if (!this.#known.delete(sampleRate)) this.#take(sampleRate, now);
    this.#known.add(sampleRate);
    for (const oldest of this.#known) {
      if (this.#known.size <= REMEMBERED) break;
      this.#known.delete(oldest);
    }
  }

  #take(sampleRate: number, now: number): void {
    this.#tokens = Math.min(NEW_RATES, this.#tokens + ((now - this.#filledAt) * NEW_RATES) / 1000);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      const message = `format.sample_rate: found ${sampleRate}, one more new rate; allowed: ${NEW_RATES} new rates a second`;
      throw new ProtocolError("too_many_requests", message, { param: "format.sample_rate" });
    }
    this.#tokens -= 1;
  }
}
