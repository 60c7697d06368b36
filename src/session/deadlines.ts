import type { Config } from "../config/config.ts";
import type { Traits } from "../dialects/dialect.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Outbox } from "./outbox.ts";

/** A limit that a session has reached. */
export interface Expired {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Time limits of one session: from the connection to its first stream, without a message of the client, with results
 * that the client does not take, and in all. `now` is milliseconds.
 */
export class Deadlines {
  readonly #startMs: number;
  readonly #idleMs: number;
  readonly #sessionMs: number;
  readonly #slowReaderMs: number;
  /** Time after which a client that sends nothing has nothing more for a shutdown to wait for. */
  readonly #lastWordMs: number;
  readonly #outbox: Outbox;
  readonly #openedAt: number;
  #activeAt: number;
  #started = false;

  constructor(limits: Config["limits"], traits: Traits, outbox: Outbox, now: number) {
    this.#startMs = traits.startTimeoutMs ?? limits.start_timeout_ms;
    this.#idleMs = traits.idleTimeoutMs ?? limits.idle_timeout_ms;
    this.#sessionMs = limits.session_ms;
    this.#slowReaderMs = limits.slow_reader_ms;
    this.#lastWordMs = traits.closingIsStop === true ? limits.finish_ms : Infinity;
    this.#outbox = outbox;
    this.#openedAt = this.#activeAt = now;
  }

  /** The client has sent something, or is not expected to. */
  active(now: number): void {
    this.#activeAt = now;
  }

  /** A stream was started: the time limit for the first one no longer applies. */
  started(): void {
    this.#started = true;
  }

  /** The limit that has been reached, if any, which ends the session in good order. To be called a few times a second. */
  expired(now: number): Expired | undefined {
    const lasted = now - this.#openedAt;
    if (!this.#started && lasted >= this.#startMs) {
      return { code: "start_timeout", message: `no stream was started within ${this.#startMs} ms` };
    }
    if (this.#sessionMs > 0 && lasted >= this.#sessionMs) {
      return { code: "session_limit", message: `a session lasts at most ${this.#sessionMs} ms` };
    }
    if (now - this.#activeAt >= this.#idleMs) {
      return { code: "idle_timeout", message: `the client sent nothing for ${this.#idleMs} ms` };
    }
    return undefined;
  }

  /**
   * Returns true if a shutdown need not wait for the client: it has no message to end its stream, such as a connection
   * in a pool, and has sent nothing for `limits.finish_ms`.
   */
  isSilent(now: number): boolean {
    return now - this.#activeAt >= this.#lastWordMs;
  }

  /** Returns `slow_reader` if the client takes no results. To be called a few times a second. */
  slowReader(now: number): Expired | undefined {
    if (!this.#outbox.standsStill(now, this.#slowReaderMs)) return undefined;
    return { code: "slow_reader", message: `results have waited for ${this.#slowReaderMs} ms without being read` };
  }
}
