import type { Clock } from "../lib/clock.ts";
import type { JobResult } from "../model/job.ts";
import type { QueuedJob, SchedulerLane } from "./queued-job.ts";

/** The state of one lane. */
interface HeldState {
  /** The state that the last successful call returned; undefined: none, or `finish` or `dispose` has got it. */
  last: { readonly state: unknown } | undefined;
  /** Calls that may use it: the running one, and those of abandoned workers that have not ended. */
  calls: number;
  closed: boolean;
}

/**
 * Finds the states that nobody gives to `finish`: those of lanes that are closed before. Each is reported once, when no
 * call can use it any more.
 */
export class Disposals {
  readonly #held = new Map<SchedulerLane, HeldState>();
  readonly #dispose: (lane: SchedulerLane, state: unknown, done: () => void) => void;
  /** States that are being disposed of. */
  #disposing = 0;
  #idle: (() => void) | undefined;

  /** @param dispose receives a closed lane and its last state, and calls `done` once when the state is disposed of */
  constructor(dispose: (lane: SchedulerLane, state: unknown, done: () => void) => void) {
    this.#dispose = dispose;
  }

  /** No state of a lane is kept, nor disposed of at the moment. */
  get isIdle(): boolean {
    return this.#held.size === 0 && this.#disposing === 0;
  }

  /** Resolves when all lanes are closed and their states disposed of, at the latest after a time. To be called once. */
  idle(clock: Clock, graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(graceMs, resolve);
      this.#idle = () => {
        cancel();
        resolve();
      };
      this.#checkIdle();
    });
  }

  jobStarted({ lane, job }: QueuedJob): void {
    let held = this.#held.get(lane);
    if (held === undefined) this.#held.set(lane, (held = { last: undefined, calls: 0, closed: lane.closed }));
    held.calls++;
    if (job.step === "finish" || job.step === "dispose") held.last = undefined;
  }

  /** The job was not started after all. */
  jobWithdrawn({ lane, job }: QueuedJob): void {
    const held = this.#held.get(lane);
    if (held === undefined) return;
    held.calls--;
    if (job.step === "finish" || job.step === "dispose") held.last = { state: job.state };
    this.#release(lane, held);
  }

  /** A call of the job has ended, and nothing of it runs any more. @param result undefined: it has none */
  jobEnded({ lane }: QueuedJob, result: JobResult | undefined): void {
    const held = this.#held.get(lane);
    if (held === undefined) return;
    held.calls--;
    if (result?.state !== undefined) held.last = { state: result.state };
    this.#release(lane, held);
  }

  /** A call that was given up has started a state after all, which nobody has. */
  stateLeft(lane: SchedulerLane, state: unknown): void {
    if (state !== undefined) this.#disposeOf(lane, state);
  }

  laneClosed(lane: SchedulerLane): void {
    const held = this.#held.get(lane);
    if (held === undefined) return;
    held.closed = true;
    this.#release(lane, held);
  }

  #release(lane: SchedulerLane, { last, calls, closed }: HeldState): void {
    if (!closed || calls > 0) return;
    this.#held.delete(lane);
    if (last !== undefined) this.#disposeOf(lane, last.state);
    this.#checkIdle();
  }

  #disposeOf(lane: SchedulerLane, state: unknown): void {
    this.#disposing++;
    this.#dispose(lane, state, () => {
      this.#disposing--;
      this.#checkIdle();
    });
  }

  #checkIdle(): void {
    if (this.isIdle) this.#idle?.();
  }
}
