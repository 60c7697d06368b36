import type { Clock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { ModelReport } from "../worker/model-reports.ts";
import type { AbortReason, CallResult, HostEvents, HostExit, LaneJob, WorkerHost } from "./worker-host.ts";
import { WorkerSlot } from "./worker-slot.ts";

/** Reports of the workers. `worker` is the index of a slot, from 0. */
export interface WorkersEvents {
  /** The worker can take calls. */
  ready(worker: number, info: ModelInfo): void;
  done(worker: number, results: readonly CallResult[]): void;
  /** A worker that was ready has ended by itself or because of `close`. */
  exited(worker: number, exit: HostExit): void;
  /** A replacement could not be started. */
  loadFailed(worker: number, exit: HostExit): void;
  /** No worker is left, and none could be started. While it is so, `none` is true. */
  noneLeft(): void;
  /** Some workers may not be expected any more, at least for some time; others are. */
  fewer(): void;
  /** A worker that was abandoned does not end. @param abandoned all of those that have not ended */
  stuck(worker: number, abandoned: number): void;
  /** @param isCurrent false: another worker has taken, or takes, the place of the one that reports */
  reported(worker: number, report: ModelReport, isCurrent: boolean): void;
  strangeMessage(worker: number): void;
}

export interface WorkersOptions {
  /** From 1; otherwise the constructor throws RangeError. */
  readonly count: number;
  /** Name of the model for messages. */
  readonly model: string;
  /** @param spawn hosts that were started before */
  readonly startHost: (start: { readonly spawn: number; readonly worker: number }, events: HostEvents) => WorkerHost;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  readonly events: WorkersEvents;
}

/** Why no stream should be started. */
export interface Unavailable {
  /**
   * `stuck`: so many threads were abandoned that a worker cannot be replaced. `load`: no worker is left, and the last
   * ones could not be loaded, or ended before they answered a call.
   */
  readonly cause: "stuck" | "load";
  /** For people, also for clients: without paths. */
  readonly reason: string;
}

/**
 * A fixed number of workers. Those that end are replaced, and so are those that are abandoned while at most as many of
 * them as there are workers have not ended: each keeps a model in memory, and a client may be able to cause them.
 */
export class Workers {
  /** Resolves when all workers are ready. Rejects when one cannot be started; then all are closed. */
  readonly started: Promise<void>;

  readonly #options: WorkersOptions;
  readonly #slots: WorkerSlot[];
  readonly #started = Promise.withResolvers<void>();
  /** Slots whose first worker is not ready. */
  readonly #loading = new Set<number>();
  #spawns = 0;
  #none = false;
  #closing: Promise<void> | undefined;

  constructor(options: WorkersOptions) {
    const { count } = options;
    if (!Number.isInteger(count) || count < 1)
      throw new RangeError(`workers: found ${count}; allowed: an integer from 1`);
    this.#options = options;
    this.started = this.#started.promise;
    // A rejection that nobody awaits must not end the process.
    this.started.catch(() => {});
    for (let worker = 0; worker < count; worker++) this.#loading.add(worker);
    this.#slots = Array.from({ length: count }, (_, worker) => this.#createSlot(worker));
  }

  get readyCount(): number {
    return this.#slots.reduce((count, { state }) => count + Number(state === "ready"), 0);
  }

  /** Abandoned workers that have not ended. */
  get abandoned(): number {
    return this.#slots.reduce((count, { abandoned }) => count + abandoned, 0);
  }

  /** No worker is left, and none could be started. */
  get none(): boolean {
    return this.#none;
  }

  /** Returns whether a worker is ready, or is expected to be soon. */
  isComing(worker: number): boolean {
    const state = this.#slots[worker]?.state;
    return state === "ready" || state === "starting";
  }

  /** Why no stream should be started; undefined: nothing is known against it. */
  get unavailable(): Unavailable | undefined {
    if (this.#slots.some(({ state }) => state === "blocked")) {
      const { abandoned } = this;
      if (this.#slots.some(({ waitsForProcess }) => waitsForProcess)) {
        const processes = abandoned === 1 ? "1 process does" : `${abandoned} processes do`;
        return { cause: "stuck", reason: `${processes} not end, so no more workers are started` };
      }
      const threads = abandoned === 1 ? "1 thread does" : `${abandoned} threads do`;
      return { cause: "stuck", reason: `${threads} not return from the model, so no more workers are started` };
    }
    if (!this.#none) return undefined;
    const isLoop = this.#slots.some(({ state }) => state === "looping");
    const what = isLoop ? "its workers end before they answer a call" : "no worker can be started";
    return { cause: "load", reason: `${what}; the log has the cause` };
  }

  /** Why the model cannot serve, as all workers that are ready report; undefined: it can, or none is ready. */
  get reportedReason(): string | undefined {
    const reasons = this.#slots.filter(({ state }) => state === "ready").map(({ reason }) => reason);
    return reasons.includes(undefined) ? undefined : reasons[0];
  }

  /** The processes of the workers that have one and have not ended, without abandoned ones. */
  get pids(): number[] {
    return this.#slots.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** Hosts started so far. */
  get spawns(): number {
    return this.#spawns;
  }

  /** Calls that a worker may have besides the one that it runs. */
  get ahead(): number {
    return Math.max(...this.#slots.map(({ ahead }) => ahead));
  }

  /** Queues a call on a worker that is ready. */
  call(worker: number, call: number, jobs: readonly LaneJob[]): void {
    this.#slots[worker]!.call(call, jobs);
  }

  /** Takes back the last call of a worker. Returns false when it has been taken. */
  withdraw(worker: number, call: number): boolean {
    return this.#slots[worker]!.withdraw(call);
  }

  /** See `WorkerHost`. */
  hasTaken(worker: number, call: number): boolean {
    return this.#slots[worker]!.hasTaken(call);
  }

  abort(worker: number, call: number, reason: AbortReason): void {
    this.#slots[worker]!.abort(call, reason);
  }

  /** Returns the results of a worker that were not reported. */
  poll(worker: number): readonly CallResult[] {
    return this.#slots[worker]!.poll();
  }

  /** The lane is closed: no further call has jobs of it. */
  forget(lane: number): void {
    for (const slot of this.#slots) slot.forget(lane);
  }

  /** Abandons a worker that is ready, and replaces it. Its end is not reported by `exited`: it runs `onEnd`. */
  replace(worker: number, onEnd: () => void): void {
    this.#slots[worker]!.replace(onEnd);
  }

  /** Ends all workers. Resolves when they have ended or are stuck. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#started.reject(new Error("the model was closed before it was ready"));
      this.#closing = Promise.all(this.#slots.map((slot) => slot.close())).then(() => {});
    }
    return this.#closing;
  }

  #createSlot(worker: number): WorkerSlot {
    const { startHost, loadTimeoutMs, clock, events } = this.#options;
    return new WorkerSlot({
      startHost: (hostEvents) => startHost({ spawn: this.#spawns++, worker }, hostEvents),
      loadTimeoutMs,
      clock,
      mayStart: () => this.#closing === undefined && this.abandoned <= this.#options.count,
      events: {
        ready: (info) => this.#ready(worker, info),
        done: (results) => events.done(worker, results),
        reported: (report, isCurrent) => events.reported(worker, report, isCurrent),
        strangeMessage: () => events.strangeMessage(worker),
        exited: (exit) => events.exited(worker, exit),
        loadFailed: (exit) => this.#loadFailed(worker, exit),
        stuck: () => events.stuck(worker, this.abandoned),
        left: () => this.#left(),
        crowded: () => this.#slots.forEach((slot) => slot.terminateAbandoned()),
        blocked: () => this.#review(),
        looping: () => this.#review(),
      },
    });
  }

  #ready(worker: number, info: ModelInfo): void {
    this.#none = false;
    this.#options.events.ready(worker, info);
    if (this.#loading.delete(worker) && this.#loading.size === 0) this.#started.resolve();
  }

  #loadFailed(worker: number, exit: HostExit): void {
    const { model, events } = this.#options;
    if (this.#loading.size > 0) {
      const message = `model ${JSON.stringify(model)} cannot be loaded: ${exit.cause}`;
      this.#started.reject(new Error(message, { cause: exit.stack }));
      void this.close();
      return;
    }
    events.loadFailed(worker, exit);
    this.#review();
  }

  /** An abandoned worker has ended, so another one may be started. */
  #left(): void {
    for (const slot of this.#slots) slot.unblock();
    this.#review();
  }

  #review(): void {
    this.#none = this.#slots.every(({ state }) => state !== "ready" && state !== "starting");
    if (this.#none) this.#options.events.noneLeft();
    else this.#options.events.fewer();
  }
}
