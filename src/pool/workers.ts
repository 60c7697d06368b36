import type { Clock } from "../lib/clock.ts";
import type { CallMessage, DoneMessage, LoadMessage, ModelInfo, Piece } from "../worker/messages.ts";
import { encodeCall } from "../worker/messages.ts";
import type { AudioJob } from "./lane.ts";
import type { RateLimitedLog } from "./rate-limited-log.ts";
import type { Ending } from "./worker-thread.ts";
import { WorkerThread } from "./worker-thread.ts";

/** Wait before a worker that died before it was of use is replaced: doubled each time in a row, up to the longest. */
export const FIRST_BACKOFF_MS = 100;
export const LONGEST_BACKOFF_MS = 5000;
/** A terminated worker that has not ended by then is stuck in native code; a new one takes its place, if not too many are stuck. */
export const TERMINATE_GRACE_MS = 1000;
/** Time for a model's `close` when the pool closes. */
export const CLOSE_GRACE_MS = 1000;

export interface WorkersOptions {
  readonly workers: number;
  readonly url: string | URL;
  readonly load: Omit<LoadMessage, "spawn">;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  readonly log: RateLimitedLog;
  /** The worker can take calls. */
  ready(worker: number, info: ModelInfo): void;
  done(worker: number, message: DoneMessage): void;
  /** A worker that was ready has ended on its own, or because of `close`. */
  gone(worker: number, ending: Ending): void;
  /** A worker that was to replace another could not be started. */
  loadFailed(): void;
  /** No worker is ready, and the last attempt to start one failed in every place. */
  noneLeft(): void;
}

/** A lane as workers know it. */
export interface LaneOptions {
  readonly number: number;
  readonly options: unknown;
}

interface Place {
  readonly index: number;
  thread: WorkerThread | undefined;
  ready: boolean;
  called: boolean;
  busy: boolean;
  closes: boolean;
  /** Lanes whose options the thread has. */
  readonly known: Set<number>;
  failures: number;
  cancelTimer: () => void;
}

/** A fixed number of places, each with a worker thread that is replaced when it ends. */
export class Workers {
  /** Resolves when a thread is ready in every place; rejects when one of the first cannot be, and then nothing runs. */
  readonly started: Promise<void>;

  readonly #options: WorkersOptions;
  readonly #places: Place[] = [];
  readonly #started = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #unstarted = new Set<Place>();
  #readyCount = 0;
  #spawns = 0;
  #alive = 0;
  /** Threads that were terminated and have not ended yet, with what to do then. */
  readonly #ending = new Map<WorkerThread, () => void>();
  #closed = false;

  constructor(options: WorkersOptions) {
    if (!Number.isInteger(options.workers) || options.workers < 1) {
      throw new RangeError(`a model needs 1 worker or more, not ${options.workers}`);
    }
    this.#options = options;
    this.started = this.#started.promise;
    // Whoever waits for it hears of a failure; that nobody does should not end the process.
    this.started.catch(() => {});
    for (let index = 0; index < options.workers; index++) {
      const empty = { thread: undefined, ready: false, called: false, busy: false, closes: false };
      const place: Place = { index, ...empty, known: new Set(), failures: 0, cancelTimer: () => {} };
      this.#places.push(place);
      this.#unstarted.add(place);
      this.#spawn(place);
    }
  }

  get readyCount(): number {
    return this.#readyCount;
  }

  /** Threads started so far. */
  get spawns(): number {
    return this.#spawns;
  }

  /** Hands a call to a worker that is ready. */
  call(worker: number, call: number, pieces: readonly { readonly work: AudioJob; readonly lane: LaneOptions }[]): void {
    const place = this.#places[worker]!;
    const thread = place.thread!;
    place.busy = place.called = true;
    for (const { lane } of pieces) {
      if (lane.options === undefined || place.known.has(lane.number)) continue;
      thread.post({ type: "options", lane: lane.number, options: lane.options });
      place.known.add(lane.number);
    }
    const message: CallMessage = { type: "call", call, pieces: pieces.map(({ work, lane }) => piece(work, lane)) };
    thread.post(encodeCall(message));
  }

  /** The lane has no further calls. */
  forget(lane: number): void {
    for (const { thread, known } of this.#places) if (known.delete(lane)) thread?.post({ type: "forget", lane });
  }

  /** Terminates a worker that is ready and puts another in its place; `gone` is not called for it, `whenEnded` is. */
  replace(worker: number, whenEnded: () => void): void {
    const place = this.#places[worker]!;
    this.#readyCount--;
    this.#dismiss(place, whenEnded);
  }

  /** Ends all threads. Resolves when they have ended, or are found to be stuck. */
  async close(): Promise<void> {
    if (this.#closed) return await this.#ended.promise;
    this.#closed = true;
    const { clock } = this.#options;
    this.#started.reject(new Error("the model was closed before it was ready"));
    let grace = TERMINATE_GRACE_MS;
    for (const { thread, ready, busy, closes, cancelTimer } of this.#places) {
      cancelTimer();
      if (thread && ready && closes && !busy) {
        thread.post({ type: "close" });
        clock.after(CLOSE_GRACE_MS, () => thread.terminate());
        grace = CLOSE_GRACE_MS + TERMINATE_GRACE_MS;
      } else thread?.terminate();
    }
    if (this.#alive === 0) this.#ended.resolve();
    const cancel = clock.after(grace, () => this.#ended.resolve());
    await this.#ended.promise;
    cancel();
  }

  #spawn(place: Place): void {
    const { url, load, loadTimeoutMs, clock } = this.#options;
    place.ready = place.called = place.busy = false;
    place.known.clear();
    this.#alive++;
    const thread = new WorkerThread(
      url,
      { ...load, spawn: this.#spawns++ },
      {
        ready: (info) => {
          if (place.thread !== thread || place.ready || this.#closed) return;
          place.cancelTimer();
          place.ready = true;
          place.closes = info.closes;
          this.#readyCount++;
          this.#options.ready(place.index, info);
          this.#unstarted.delete(place);
          if (this.#unstarted.size === 0) this.#started.resolve();
        },
        done: (message) => {
          if (place.thread !== thread || !place.ready || this.#closed) return;
          place.busy = false;
          this.#options.done(place.index, message);
        },
        strange: () => this.#options.log.warn("strange_message", { model: load.model, worker: place.index }),
        gone: (ending) => this.#gone(place, thread, ending),
      },
    );
    place.thread = thread;
    place.cancelTimer = clock.after(loadTimeoutMs, () => {
      this.#dismiss(place, () => {});
      this.#loadFailed(place, {
        cause: `it was not loaded and warm within ${loadTimeoutMs} ms; a slow one needs a larger load_timeout_ms`,
      });
    });
  }

  #gone(place: Place, thread: WorkerThread, ending: Ending): void {
    if (--this.#alive === 0 && this.#closed) queueMicrotask(this.#ended.resolve);
    const afterwards = this.#ending.get(thread);
    if (afterwards) {
      this.#ending.delete(thread);
      return afterwards();
    }
    place.thread = undefined;
    place.cancelTimer();
    if (!place.ready) return this.#loadFailed(place, beforeReady(ending));
    place.ready = false;
    this.#readyCount--;
    this.#options.gone(place.index, ending);
    if (place.called) place.failures = 0;
    // One that ends on its own without a call would do so again at once.
    if (place.called) this.#respawn(place);
    else this.#respawnLater(place);
  }

  /** Terminates the place's thread and fills the place again when it has ended or is stuck. */
  #dismiss(place: Place, whenEnded: () => void): void {
    const { clock, log, workers } = this.#options;
    const thread = place.thread!;
    place.thread = undefined;
    const wasReady = place.ready;
    place.ready = false;
    const cancelGrace = clock.after(TERMINATE_GRACE_MS, () => {
      log.warn("worker_stuck", { worker: place.index, stuck: this.#ending.size });
      if (wasReady && this.#ending.size <= workers) this.#respawn(place);
    });
    this.#ending.set(thread, () => {
      cancelGrace();
      whenEnded();
      if (wasReady) this.#respawn(place);
    });
    thread.terminate();
  }

  #loadFailed(place: Place, { cause, stack }: Ending): void {
    if (this.#closed) return;
    const { load, log } = this.#options;
    if (this.#unstarted.size > 0) {
      this.#started.reject(
        new Error(`model ${JSON.stringify(load.model)} cannot be loaded: ${cause}`, { cause: stack }),
      );
      return void this.close();
    }
    this.#options.loadFailed();
    log.warn("load_failed", { model: load.model, worker: place.index, cause, stack });
    this.#respawnLater(place);
    if (this.#places.every(({ ready, failures }) => !ready && failures > 0)) this.#options.noneLeft();
  }

  #respawn(place: Place): void {
    if (!this.#closed && !place.thread) this.#spawn(place);
  }

  #respawnLater(place: Place): void {
    if (this.#closed) return;
    const wait = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** place.failures++);
    place.cancelTimer = this.#options.clock.after(wait, () => this.#respawn(place));
  }
}

function piece({ kind, audio, step, state, traceparent }: AudioJob, lane: LaneOptions): Piece {
  return {
    lane: lane.number,
    final: kind === "final",
    slabs: audio.slabs,
    offset: audio.offset,
    length: audio.length,
    ...(step !== undefined && { step }),
    ...(state !== undefined && { state }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

function beforeReady({ cause, stack }: Ending): Ending {
  // Bun 1.4.5 ends a compiled program's worker whose file is missing with code 0 and no word.
  const silent = cause.endsWith("exit code 0");
  const reason = silent ? ": the model ends it, or the worker's program is missing" : "";
  const words = cause.includes("exit code") ? `${cause} before it was ready${reason}` : cause;
  return stack === undefined ? { cause: words } : { cause: words, stack };
}
