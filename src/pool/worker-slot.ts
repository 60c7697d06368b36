import { AbandonedHosts, LEAVE_GRACE_MS } from "./abandoned-hosts.ts";
import { Restarts } from "./restarts.ts";
import type { SlotOptions, SlotState } from "./slot-options.ts";
import type { AbortReason, CallResult, HostExit, LaneJob, WorkerHost } from "./worker-host.ts";

/** Time that a model has to close when the pool is closed. */
export const CLOSE_GRACE_MS = 1000;
/** A host that has not ended by this time after `terminate` is stuck in native code. */
export const TERMINATE_GRACE_MS = 1000;

/**
 * The place of one worker. When its worker ends, another one is started. A worker whose call or load takes too long is
 * abandoned: it gets no further call and ends by itself, while another one takes its place.
 */
export class WorkerSlot {
  readonly #options: SlotOptions;
  #host: WorkerHost | undefined;
  #state: SlotState = "starting";
  /** Why the model cannot serve in this worker, as it reports itself. */
  #reason: string | undefined;
  readonly #restarts = new Restarts();
  /** A worker is to be started as soon as enough of the abandoned ones have ended. */
  #crowded = false;
  readonly #abandoned: AbandonedHosts;
  #cancelTimer = (): void => {};
  readonly #ended = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#abandoned = new AbandonedHosts(options.clock);
    this.#start();
  }

  get state(): SlotState {
    return this.#state;
  }

  /** Why the model cannot serve in the worker, as it reports itself; undefined: it can, or there is no worker. */
  get reason(): string | undefined {
    return this.#state === "ready" ? this.#reason : undefined;
  }

  /** Abandoned workers that have not ended. */
  get abandoned(): number {
    return this.#abandoned.size;
  }

  /** Calls that the worker may have besides the one that it runs. */
  get ahead(): number {
    return this.#host?.ahead ?? 0;
  }

  /** A process must end before another worker starts here. */
  get waitsForProcess(): boolean {
    return this.#abandoned.areExclusive;
  }

  /** Process of the worker, if it has one. */
  get pid(): number | undefined {
    return this.#host?.pid;
  }

  /** Queues a call. The worker must be ready. */
  call(call: number, jobs: readonly LaneJob[]): void {
    this.#restarts.called();
    this.#host?.call(call, jobs);
  }

  /** Takes back the last call, also of a worker that has just ended. See `WorkerHost.withdraw`. */
  withdraw(call: number): boolean {
    return this.#host?.withdraw(call) ?? false;
  }

  /** See `WorkerHost`. */
  hasTaken(call: number): boolean {
    return this.#host?.hasTaken(call) ?? false;
  }

  abort(call: number, reason: AbortReason): void {
    this.#host?.abort(call, reason);
  }

  /** Returns the results that were not reported. */
  poll(): readonly CallResult[] {
    const results = this.#host?.poll() ?? [];
    if (results.length > 0) this.#restarts.answered();
    return results;
  }

  forget(lane: number): void {
    this.#host?.forget(lane);
  }

  /** Abandons the worker, which must be ready, and replaces it. Its end is not reported by `exited`: it runs `onEnd`. */
  replace(onEnd: () => void): void {
    this.#abandon(onEnd);
    this.#refill();
  }

  /** Starts a worker if the slot waits for the end of abandoned ones, and one may be started. */
  unblock(): void {
    if (!this.#crowded || !this.#mayStart()) return;
    this.#crowded = false;
    this.#cancelTimer();
    this.#state = "starting";
    this.#start();
  }

  /** Terminates the abandoned workers as soon as that does no harm. */
  terminateAbandoned(): void {
    this.#abandoned.terminate();
  }

  /** Ends the worker. Resolves when it and all abandoned ones have ended, or are stuck. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    const host = this.#host;
    this.#closed = true;
    this.#cancelTimer();
    if (host === undefined && this.#abandoned.size === 0) return;
    this.terminateAbandoned();
    let graceMs = TERMINATE_GRACE_MS;
    let cancelTerminate = (): void => {};
    if (host !== undefined && this.#state === "ready") {
      host.close();
      cancelTerminate = clock.after(CLOSE_GRACE_MS, () => host.terminate());
      graceMs += CLOSE_GRACE_MS;
    } else host?.terminate();
    const cancelGrace = clock.after(graceMs, () => this.#ended.resolve());
    await this.#ended.promise;
    cancelTerminate();
    cancelGrace();
  }

  #start(): void {
    const { startHost, loadTimeoutMs, clock, events } = this.#options;
    this.#restarts.begin();
    this.#reason = undefined;
    const isCurrent = (): boolean => this.#host === host && !this.#closed;
    const host = startHost({
      ready: (info) => {
        if (!isCurrent()) return;
        this.#cancelTimer();
        this.#state = "ready";
        events.ready(info);
      },
      done: (results) => {
        if (!isCurrent()) return;
        this.#restarts.answered();
        events.done(results);
      },
      reported: (report) => {
        if (isCurrent() && report.unavailable !== undefined) this.#reason = report.unavailable ?? undefined;
        events.reported(report, isCurrent());
      },
      strangeMessage: () => events.strangeMessage(),
      exited: (exit) => this.#exited(host, exit),
    });
    this.#host = host;
    this.#cancelTimer = clock.after(loadTimeoutMs, () => {
      this.#abandon(() => {});
      this.#loadFailed({ cause: `it was not loaded and warm within ${loadTimeoutMs} ms (load_timeout_ms)` });
    });
  }

  #exited(host: WorkerHost, exit: HostExit): void {
    if (!this.#abandoned.ended(host)) this.#currentExited(exit);
    else if (!this.#closed) this.#options.events.left();
    if (this.#closed && this.#host === undefined && this.#abandoned.size === 0) this.#ended.resolve();
  }

  #currentExited(exit: HostExit): void {
    const wasReady = this.#state === "ready";
    this.#cancelTimer();
    // The host still tells which calls it has not taken.
    try {
      if (wasReady) {
        this.#state = "starting";
        this.#options.events.exited(exit);
      }
    } finally {
      this.#host = undefined;
      if (wasReady) this.#restart();
      else this.#loadFailed(exit);
    }
  }

  #abandon(onEnd: () => void): void {
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#state = "starting";
    this.#abandoned.add(host, onEnd, () => {
      if (!this.#closed) this.#options.events.stuck();
    });
  }

  #mayStart(): boolean {
    return !this.#abandoned.areExclusive && this.#options.mayStart();
  }

  #loadFailed(exit: HostExit): void {
    if (this.#closed) return;
    this.#state = "failing";
    this.#restart();
    this.#options.events.loadFailed(exit);
  }

  /** Starts the next worker, after a pause if those before it were of no use. */
  #restart(): void {
    if (this.#closed) return;
    const delayMs = this.#restarts.next();
    if (delayMs === 0) return this.#refill();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#refill());
    if (!this.#restarts.looping || this.#state === "failing") return;
    this.#state = "looping";
    this.#options.events.looping();
  }

  #refill(): void {
    if (this.#closed || this.#host !== undefined) return;
    const { clock, events } = this.#options;
    if (this.#mayStart()) return this.#start();
    this.#crowded = true;
    const { areExclusive } = this.#abandoned;
    // An exclusive one is ending already.
    if (!areExclusive) events.crowded();
    this.#cancelTimer = clock.after(areExclusive ? LEAVE_GRACE_MS : TERMINATE_GRACE_MS, () => {
      this.#state = "blocked";
      events.blocked();
    });
  }
}
