import type { Clock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { CallResult, HostEvents, HostExit, LaneJob, WorkerHost } from "./worker-host.ts";

/**
 * Delay before the replacement of a worker that ended without a call: doubled with each in a row, up to the longest.
 */
export const FIRST_BACKOFF_MS = 100;
export const LONGEST_BACKOFF_MS = 5000;
/** A host that has not ended by this time after `terminate` is stuck in native code. */
export const TERMINATE_GRACE_MS = 1000;
/** Time that a model has to close. */
export const CLOSE_GRACE_MS = 1000;

export interface SlotEvents {
  ready(info: ModelInfo): void;
  done(result: CallResult): void;
  strangeMessage(): void;
  /** The worker, which was ready, has ended by itself or because of `close`. */
  exited(exit: HostExit): void;
  /** A worker could not be started. The next attempt follows. */
  loadFailed(exit: HostExit): void;
  /** A replaced worker does not end. Returns whether a new one may be started beside it. */
  stuck(): boolean;
}

export interface SlotOptions {
  readonly startHost: (events: HostEvents) => WorkerHost;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  readonly events: SlotEvents;
}

/** The place of one worker. When its worker ends, another one is started. */
export class WorkerSlot {
  readonly #options: SlotOptions;
  #host: WorkerHost | undefined;
  #ready = false;
  /** The worker has had a call. */
  #called = false;
  /** The worker has a call. */
  #busy = false;
  /** Workers in a row that ended without a call. */
  #failures = 0;
  /** Hosts that were terminated to be replaced and have not ended, each with the task for its end. */
  readonly #replaced = new Map<WorkerHost, () => void>();
  #cancelTimer = (): void => {};
  readonly #ended = Promise.withResolvers<void>();
  #closed = false;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#start();
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** No worker is ready, and the last one failed. */
  get failing(): boolean {
    return !this.#ready && this.#failures > 0;
  }

  /** Replaced workers that have not ended. */
  get replaced(): number {
    return this.#replaced.size;
  }

  /** Starts a call. The worker must be ready and without a call. */
  call(call: number, jobs: readonly LaneJob[]): void {
    this.#busy = this.#called = true;
    this.#host?.call(call, jobs);
  }

  forget(lane: number): void {
    this.#host?.forget(lane);
  }

  /** Replaces the worker, which must be ready. Its end is not reported by `exited`: it runs `onEnd`. */
  replace(onEnd: () => void): void {
    this.#terminate(onEnd, true);
  }

  /** Ends the worker. Resolves when it and all replaced ones have ended, or are stuck. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    const host = this.#host;
    this.#closed = true;
    this.#cancelTimer();
    if (host === undefined && this.#replaced.size === 0) return;
    let graceMs = TERMINATE_GRACE_MS;
    if (host !== undefined && this.#ready && !this.#busy) {
      host.close();
      this.#cancelTimer = clock.after(CLOSE_GRACE_MS, () => host.terminate());
      graceMs += CLOSE_GRACE_MS;
    } else host?.terminate();
    const cancelGrace = clock.after(graceMs, () => this.#ended.resolve());
    await this.#ended.promise;
    cancelGrace();
    this.#cancelTimer();
  }

  #start(): void {
    const { startHost, loadTimeoutMs, clock, events } = this.#options;
    this.#ready = this.#called = this.#busy = false;
    const isCurrent = (): boolean => this.#host === host && !this.#closed;
    const host = startHost({
      ready: (info) => {
        if (!isCurrent()) return;
        this.#cancelTimer();
        this.#ready = true;
        events.ready(info);
      },
      done: (result) => {
        if (!isCurrent()) return;
        this.#busy = false;
        events.done(result);
      },
      strangeMessage: () => events.strangeMessage(),
      exited: (exit) => this.#exited(host, exit),
    });
    this.#host = host;
    this.#cancelTimer = clock.after(loadTimeoutMs, () => {
      this.#terminate(() => {}, false);
      const cause = `it was not loaded and warm within ${loadTimeoutMs} ms (load_timeout_ms)`;
      this.#loadFailed({ cause });
    });
  }

  #exited(host: WorkerHost, exit: HostExit): void {
    const onEnd = this.#replaced.get(host);
    if (onEnd === undefined) this.#currentExited(exit);
    else {
      this.#replaced.delete(host);
      onEnd();
    }
    if (this.#closed && this.#host === undefined && this.#replaced.size === 0) this.#ended.resolve();
  }

  #currentExited(exit: HostExit): void {
    this.#host = undefined;
    this.#cancelTimer();
    if (!this.#ready) return this.#loadFailed(exit);
    this.#ready = false;
    this.#options.events.exited(exit);
    // A worker that ends by itself without a call would probably do it again at once.
    if (!this.#called) return this.#startLater();
    this.#failures = 0;
    this.#refill();
  }

  /** Terminates the current host. @param refill start another one when it has ended or is stuck */
  #terminate(onEnd: () => void, refill: boolean): void {
    const { clock, events } = this.#options;
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#ready = false;
    const cancelGrace = clock.after(TERMINATE_GRACE_MS, () => {
      if (events.stuck() && refill) this.#refill();
    });
    this.#replaced.set(host, () => {
      cancelGrace();
      onEnd();
      if (refill) this.#refill();
    });
    host.terminate();
  }

  #loadFailed(exit: HostExit): void {
    if (this.#closed) return;
    this.#startLater();
    this.#options.events.loadFailed(exit);
  }

  #refill(): void {
    if (!this.#closed && this.#host === undefined) this.#start();
  }

  #startLater(): void {
    if (this.#closed) return;
    const delayMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures++);
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#refill());
  }
}
