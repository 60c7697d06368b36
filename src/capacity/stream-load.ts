import type { Outcome } from "../model/job.ts";
import type { Demand, LoadSource } from "./demand.ts";
import type { KindLoad } from "./kind-load.ts";
import type { StandingWait } from "./standing-wait.ts";

/** Milliseconds after which the memory that a stream holds is typical of it. */
const MATURE_MS = 5_000;

/** The load of one open stream. Times are milliseconds. */
export class StreamLoad {
  readonly demand: Demand;
  readonly kind: KindLoad;
  /** Slabs that it is expected to take still, because it has begun a short time ago. */
  missing: number;
  readonly #source: LoadSource;
  readonly #wait: StandingWait;
  readonly #openedAt: number;
  #answeredSeconds = 0;
  /** Finals without an answer. */
  #pending = 0;
  /** Since when the stream has waited: since its oldest unanswered final, or the last answer. */
  #waitingSince = 0;

  constructor(demand: Demand, source: LoadSource, kind: KindLoad, wait: StandingWait, now: number) {
    this.demand = demand;
    this.kind = kind;
    this.#source = source;
    this.#wait = wait;
    this.#openedAt = now;
    this.missing = demand.channels * kind.hold;
  }

  get slabs(): number {
    return this.#source.slabs();
  }

  /** Updates what is missing. Returns whether the stream is typical of others by now. */
  mature(now: number): boolean {
    const isMature = now - this.#openedAt >= MATURE_MS;
    this.missing = isMature ? 0 : Math.max(0, this.demand.channels * this.kind.hold - this.slabs);
    return isMature;
  }

  /** Time for which the stream has waited for an answer; undefined: it does not wait. */
  waitingMs(now: number): number | undefined {
    return this.#pending === 0 ? undefined : now - this.#waitingSince;
  }

  /** A final was submitted. */
  submitted(now: number): void {
    if (this.#pending++ === 0) this.#waitingSince = now;
  }

  /** A final has its outcome. @param submittedAt when it was submitted */
  settled(outcome: Outcome, submittedAt: number, now: number): void {
    // A stream does not wait for others while its own calls run, one after the other.
    const lastAnswer = this.#waitingSince;
    this.#pending -= 1;
    this.#waitingSince = now;
    // A job that no worker has finished says nothing about the time that jobs take.
    if (outcome.status === "dropped" || (outcome.status === "failed" && outcome.code !== "inference_failed")) return;
    const { queueMs, inferMs } = outcome;
    const startedAt = now - inferMs;
    this.#wait.answered(Math.max(0, Math.min(queueMs, startedAt - Math.max(submittedAt, lastAnswer))), inferMs);
    this.kind.called(outcome.status === "ok" ? inferMs / outcome.batchSize : inferMs);
  }

  /** Seconds of all channels that have been answered since the last call. */
  takeAnswered(): number {
    const answeredSeconds = this.#source.answeredSeconds();
    const grown = answeredSeconds - this.#answeredSeconds;
    this.#answeredSeconds = answeredSeconds;
    return grown * this.demand.channels;
  }
}
