import type { WorkerCalls } from "./worker-calls.ts";

/**
 * Milliseconds of calls that a worker has ahead: a turn of the main thread may take so long. A model that takes longer
 * has one call ahead.
 */
export const AHEAD_MS = 20;
/**
 * Calls that a worker has ahead at most. Models that take less than a millisecond reach it. More did not raise the
 * number of calls a second.
 */
export const MAX_AHEAD = 64;
/** A call that takes so many times as long as others is late. */
const LATE_FACTOR = 2;
/** Weight of the last call in the average. */
const WEIGHT = 0.1;

/** Decides how many calls a worker has ahead, from the time that calls have taken. */
export class LookAhead {
  readonly #capacity: number;
  /** Average time of a call; undefined: none has ended. */
  #callMs: number | undefined;

  /** @param capacity calls that a worker can have ahead; 0: none */
  constructor(capacity: number) {
    this.#capacity = Math.min(capacity, MAX_AHEAD);
  }

  /** Records a call that has ended. */
  add(inferMs: number): void {
    this.#callMs = this.#callMs === undefined ? inferMs : this.#callMs + WEIGHT * (inferMs - this.#callMs);
  }

  /** A worker has at most one call ahead, because calls take long or because their time is not known. */
  get isShallow(): boolean {
    return this.#callMs === undefined || this.#callMs >= AHEAD_MS;
  }

  /** Returns true if the first call of a worker takes so long that others should not wait for it. */
  isLate({ first }: WorkerCalls, now: number): boolean {
    if (this.#callMs === undefined || first.startedMs === undefined) return false;
    return now - first.startedMs > AHEAD_MS + LATE_FACTOR * this.#callMs;
  }

  /** Returns the worker that should have the next call ahead: the one that will have ended its calls first. */
  choose(busy: Iterable<WorkerCalls>, now: number): WorkerCalls | undefined {
    if (this.#capacity === 0) return undefined;
    let [chosen, earliestMs]: [WorkerCalls | undefined, number] = [undefined, Infinity];
    for (const calls of busy) {
      if (calls.count > this.#depth(calls, now)) continue;
      const endMs = this.#endMs(calls, now);
      if (chosen === undefined || endMs < earliestMs) [chosen, earliestMs] = [calls, endMs];
    }
    return chosen;
  }

  #depth(calls: WorkerCalls, now: number): number {
    if (this.#callMs === undefined || this.isLate(calls, now)) return Math.min(1, this.#capacity);
    return Math.min(Math.ceil(AHEAD_MS / this.#callMs), this.#capacity);
  }

  #endMs(calls: WorkerCalls, now: number): number {
    if (this.isLate(calls, now)) return Infinity;
    const callMs = this.#callMs ?? 0;
    return Math.max(now, (calls.first.startedMs ?? now) + callMs) + (calls.count - 1) * callMs;
  }
}
