import type { Clock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { CallResult, HostEvents, HostExit, LaneJob, WorkerHost } from "./worker-host.ts";
import { WorkerSlot } from "./worker-slot.ts";

/** Reports of the workers. `worker` is the index of a slot, from 0. */
export interface WorkersEvents {
  /** The worker can take calls. */
  ready(worker: number, info: ModelInfo): void;
  done(worker: number, result: CallResult): void;
  /** A worker that was ready has ended by itself or because of `close`. */
  exited(worker: number, exit: HostExit): void;
  /** A replacement could not be started. */
  loadFailed(worker: number, exit: HostExit): void;
  /** No worker is ready, and in every slot the last one failed. */
  allFailed(): void;
  /** A replaced worker does not end. @param leaving replaced workers that have not ended */
  stuck(worker: number, leaving: number): void;
  strangeMessage(worker: number): void;
}

export interface WorkersOptions {
  /** From 1; otherwise the constructor throws RangeError. */
  readonly count: number;
  /** Name of the model for messages. */
  readonly model: string;
  readonly startHost: (spawn: number, events: HostEvents) => WorkerHost;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  readonly events: WorkersEvents;
}

/** A fixed number of workers. Those that end are replaced. */
export class Workers {
  /** Resolves when all workers are ready. Rejects when one cannot be started; then all are closed. */
  readonly started: Promise<void>;

  readonly #options: WorkersOptions;
  readonly #slots: WorkerSlot[];
  readonly #started = Promise.withResolvers<void>();
  /** Slots whose first worker is not ready. */
  readonly #loading = new Set<number>();
  #spawns = 0;
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
    return this.#slots.reduce((count, { ready }) => count + Number(ready), 0);
  }

  /** Hosts started so far. */
  get spawns(): number {
    return this.#spawns;
  }

  /** Starts a call on a worker that is ready and has none. */
  call(worker: number, call: number, jobs: readonly LaneJob[]): void {
    this.#slots[worker]!.call(call, jobs);
  }

  /** The lane is closed: no further call has jobs of it. */
  forget(lane: number): void {
    for (const slot of this.#slots) slot.forget(lane);
  }

  /** Replaces a worker that is ready. Its end is not reported by `exited`: it runs `onEnd`. */
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
      startHost: (hostEvents) => startHost(this.#spawns++, hostEvents),
      loadTimeoutMs,
      clock,
      events: {
        ready: (info) => this.#ready(worker, info),
        done: (result) => events.done(worker, result),
        strangeMessage: () => events.strangeMessage(worker),
        exited: (exit) => events.exited(worker, exit),
        loadFailed: (exit) => this.#loadFailed(worker, exit),
        stuck: () => this.#stuck(worker),
      },
    });
  }

  #ready(worker: number, info: ModelInfo): void {
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
    if (this.#slots.every(({ failing }) => failing)) events.allFailed();
  }

  /** As many workers may be stuck as there are slots. */
  #stuck(worker: number): boolean {
    const leaving = this.#slots.reduce((sum, { replaced }) => sum + replaced, 0);
    this.#options.events.stuck(worker, leaving);
    return leaving <= this.#options.count;
  }
}
