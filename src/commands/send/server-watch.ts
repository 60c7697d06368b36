import type { Client } from "../../client/client.ts";
import { ConnectionError } from "../../client/errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { SteadyClock } from "../../lib/steady-clock.ts";
import type { Screen } from "../terminal/screen.ts";

/** How often the server is looked at. */
const CHECK_MS = 250;
/** How often an open stream is pinged. */
const PING_MS = 1_000;
/** Pings in the longest wait for an answer, as far as CHECK_MS allows. */
const PINGS_PER_WAIT = 4;
/** A wait that is longer than this is shown on a terminal. */
const SHOWN_AFTER_MS = 3_000;

/** Longest waits for the server, in milliseconds; Infinity: no limit. */
export interface WaitLimits {
  /** From the start of connecting to the event `started`. */
  readonly startedMs: number;
  /** Without an event while results are owed; before, without any sign that the server is alive. */
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
const LIFE = {
  what: "a sign of life of the server",
  failure: (limit: string) => `the server sent no event and answered no ping ${limit}`,
};
const RESULTS = {
  what: "results",
  failure: (limit: string) => `the server sent no event ${limit}, although results are owed`,
};

/** The part of a client that is watched. */
export type WatchedClient = Pick<Client, "receivedMessages" | "sentBytes" | "bufferedBytes" | "started" | "abort"> & {
  readonly heartbeat: Pick<Client["heartbeat"], "received" | "ping">;
};

/** The results of a stream, as far as they have come. */
export interface AwaitedResults {
  /** True if the server has audio whose results should have come. */
  readonly owesResults: boolean;
  /** Results that have come. */
  readonly answers: number;
}

/** What a started stream waits for: more audio to send, the results of all audio, or nothing any more. */
export type StreamPhase = "audio" | "results" | "stopped";

/**
 * Watches that the server responds: that it accepts the connection, starts the stream, answers pings while audio is
 * sent, and sends events while it owes the last results. On a terminal, a long wait is shown. Time in which this process
 * is frozen does not count.
 */
export class ServerWatch implements Disposable {
  readonly #clock: Clock;
  readonly #limits: WaitLimits;
  readonly #screen: Screen;
  readonly #expired = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #client: WatchedClient | undefined;
  #phase: () => StreamPhase = () => "audio";
  #results: AwaitedResults | undefined;
  /** Results at the last look, and since when none has come although some are owed. */
  #answers = 0;
  #owedSinceMs: number | undefined;
  #hasStarted = false;
  /** When the wait began. */
  #sinceMs: number;
  /** When the last ping was sent. */
  #pingedMs = -Infinity;
  /** Messages, pings and pongs received, and most bytes of audio taken, up to the last look. */
  #received = 0;
  #heartbeats = 0;
  #taken = 0;
  /** At the last look there was audio that the network had not taken. */
  #wasFull = false;

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
  follow(client: WatchedClient, phase: () => StreamPhase, results?: AwaitedResults): void {
    this.#client = client;
    this.#results = results;
    this.#phase = phase;
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
    if (this.#hasProgressed(wait) || wait === undefined) this.#sinceMs = now;
    this.#ping(now);
    const waitedMs = now - this.#sinceMs;
    const isLong = wait !== undefined && waitedMs >= SHOWN_AFTER_MS;
    this.#screen.setLive("waiting", isLong ? shown(wait, waitedMs) : this.#overdue(now));
    if (wait === undefined || waitedMs < wait.limitMs) return;
    this.#screen.setLive("waiting", undefined);
    this.#expired.abort(new ConnectionError("timeout", wait.failure(`within ${wait.limitMs / 1000} s`)));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#screen.setLive("waiting", undefined);
  }

  /**
   * Describes the wait for results while audio is sent to a server that is alive: its model may hang. It has no limit,
   * because the server has one for its model.
   */
  #overdue(now: number): string | undefined {
    const { owesResults = false, answers = 0 } = this.#results ?? {};
    if (!owesResults || answers > this.#answers) this.#owedSinceMs = undefined;
    this.#answers = answers;
    if (!owesResults) return undefined;
    this.#owedSinceMs ??= now;
    const waitedMs = now - this.#owedSinceMs;
    return waitedMs < SHOWN_AFTER_MS ? undefined : shown({ ...RESULTS, limitMs: Infinity }, waitedMs);
  }

  /** Returns undefined if the server owes nothing. */
  #wait(): Wait | undefined {
    const { startedMs, eventMs } = this.#limits;
    const client = this.#client;
    if (client === undefined) return { ...ANSWER, limitMs: startedMs };
    if (!this.#hasStarted) return { ...START, limitMs: startedMs };
    if (client.bufferedBytes > 0) return { ...ROOM, limitMs: eventMs };
    const phase = this.#phase();
    if (phase === "results") return { ...RESULTS, limitMs: eventMs };
    return phase === "audio" && this.#pingedMs !== -Infinity ? { ...LIFE, limitMs: eventMs } : undefined;
  }

  /** Pings an open stream whose audio the network takes: its buffers would take that of a frozen server for minutes. */
  #ping(now: number): void {
    if (!this.#hasStarted || this.#wasFull || this.#phase() !== "audio") return;
    if (now - this.#pingedMs < Math.min(PING_MS, this.#limits.eventMs / PINGS_PER_WAIT)) return;
    this.#pingedMs = now;
    this.#client?.heartbeat.ping();
  }

  /** Returns true if the server has shown since the last look at an open stream what `wait` is for. */
  #hasProgressed(wait: Wait | undefined): boolean {
    if (this.#client === undefined || !this.#hasStarted) return false;
    const { receivedMessages, sentBytes, bufferedBytes, heartbeat } = this.#client;
    const taken = sentBytes - bufferedBytes;
    // Audio that had to wait has left: the server reads. Other audio may be in the buffers of the network.
    const hasTaken = this.#wasFull && taken > this.#taken;
    const isAlive = wait?.what !== RESULTS.what && heartbeat.received > this.#heartbeats;
    const hasProgressed = receivedMessages > this.#received || hasTaken || isAlive;
    this.#received = receivedMessages;
    this.#heartbeats = heartbeat.received;
    // Headers of messages are buffered, too, so that the difference may fall.
    this.#taken = Math.max(this.#taken, taken);
    this.#wasFull = bufferedBytes > 0;
    return hasProgressed;
  }
}

function shown({ what, limitMs }: Wait, waitedMs: number): string {
  const limit = limitMs === Infinity ? "" : ` of at most ${limitMs / 1000} s`;
  return `waiting for ${what}: ${Math.floor(waitedMs / 1000)} s${limit}`;
}
