import type { Client } from "../../client/client.ts";
import { ConnectionError } from "../../client/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { SteadyClock } from "../../lib/steady-clock.ts";
import type { Screen } from "../terminal/screen.ts";

/** How often the server is looked at. */
const CHECK_MS = 250;
/** A wait that is longer than this is shown on a terminal. */
const SHOWN_AFTER_MS = 3_000;

/** Longest waits for the server, in milliseconds; Infinity: no limit. */
export interface WaitLimits {
  /** From the start of connecting to the event `started`. */
  readonly startedMs: number;
  /** Without an event, and without the server taking audio, while it owes results. */
  readonly eventMs: number;
}

/** What the server is waited for. */
interface Wait {
  readonly limitMs: number;
  /** What is waited for, for the terminal. */
  readonly what: string;
  /** What the server did not do, for the message; `limit` is "within N s". */
  readonly failure: (limit: string) => string;
}

const ANSWER = {
  what: "an answer of the server",
  failure: (limit: string) => `the server did not answer ${limit}`,
};
const START = {
  what: "the start of the stream",
  failure: (limit: string) => `the server did not start the stream ${limit}`,
};
const ROOM = {
  what: "the server to take audio",
  failure: (limit: string) => `the server took no audio and sent no event ${limit}`,
};
const RESULTS = {
  what: "results",
  failure: (limit: string) => `the server sent no event ${limit}, although results are owed`,
};

/** The part of a client that is watched. */
export type WatchedClient = Pick<Client, "receivedMessages" | "sentBytes" | "bufferedBytes" | "started" | "abort">;

/**
 * Watches that the server responds: that it accepts the connection, starts the stream, and sends events while it owes
 * results. On a terminal, a long wait is shown. Time in which this process is frozen does not count.
 */
export class ServerWatch implements Disposable {
  readonly #clock: Clock;
  readonly #limits: WaitLimits;
  readonly #screen: Screen;
  readonly #expired = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #client: WatchedClient | undefined;
  #owesResults = () => false;
  #hasStarted = false;
  /** When the wait began. */
  #sinceMs: number;
  /** Messages received, and most bytes of audio taken, up to the last look. */
  #received = 0;
  #taken = 0;

  constructor(clock: Clock, limits: WaitLimits, screen: Screen) {
    this.#clock = new SteadyClock(CHECK_MS, clock);
    this.#limits = limits;
    this.#screen = screen;
    this.#sinceMs = this.#clock.now();
  }

  /** Aborted when the server has not responded in time. The reason is a ConnectionError with a sentence. */
  get signal(): AbortSignal {
    return this.#expired.signal;
  }

  /** True if the server did not even start the stream in time. */
  get expiredBeforeStart(): boolean {
    return this.#expired.signal.aborted && !this.#hasStarted;
  }

  /** Looks at the server from now on, until disposed. */
  begin(): void {
    this.#timer = setInterval(() => this.check(), CHECK_MS);
  }

  /** Follows the stream of an open connection. It is aborted when the server does not respond in time. */
  follow(client: WatchedClient, owesResults: () => boolean): void {
    this.#client = client;
    this.#owesResults = owesResults;
    this.signal.addEventListener("abort", () => client.abort(this.signal.reason as ConnectionError), { once: true });
    const started = () => {
      this.#hasStarted = true;
      this.#sinceMs = this.#clock.now();
    };
    client.started().then(started, () => undefined);
  }

  /** Shows a long wait, and ends one that is too long. */
  check(): void {
    if (this.signal.aborted) return;
    const now = this.#clock.now();
    const wait = this.#wait();
    if (wait === undefined || this.#hasProgressed()) this.#sinceMs = now;
    const waitedMs = now - this.#sinceMs;
    this.#screen.setLive(
      "waiting",
      wait === undefined || waitedMs < SHOWN_AFTER_MS ? undefined : shown(wait, waitedMs),
    );
    if (wait === undefined || waitedMs < wait.limitMs) return;
    this.#screen.setLive("waiting", undefined);
    this.#expired.abort(new ConnectionError("timeout", wait.failure(`within ${wait.limitMs / 1000} s`)));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#screen.setLive("waiting", undefined);
  }

  /** Returns undefined if the server owes nothing. */
  #wait(): Wait | undefined {
    const { startedMs, eventMs } = this.#limits;
    const client = this.#client;
    if (client === undefined) return { ...ANSWER, limitMs: startedMs };
    if (!this.#hasStarted) return { ...START, limitMs: startedMs };
    if (client.bufferedBytes > 0) return { ...ROOM, limitMs: eventMs };
    return this.#owesResults() ? { ...RESULTS, limitMs: eventMs } : undefined;
  }

  /** Returns true if the server has sent a message or taken audio since the last look at an open stream. */
  #hasProgressed(): boolean {
    if (this.#client === undefined || !this.#hasStarted) return false;
    const { receivedMessages, sentBytes, bufferedBytes } = this.#client;
    const taken = sentBytes - bufferedBytes;
    const hasProgressed = receivedMessages > this.#received || taken > this.#taken;
    this.#received = receivedMessages;
    // Headers of messages are buffered, too, so that the difference may fall.
    this.#taken = Math.max(this.#taken, taken);
    return hasProgressed;
  }
}

function shown({ what, limitMs }: Wait, waitedMs: number): string {
  const limit = limitMs === Infinity ? "" : ` of at most ${limitMs / 1000} s`;
  return `waiting for ${what}: ${Math.floor(waitedMs / 1000)} s${limit}`;
}
