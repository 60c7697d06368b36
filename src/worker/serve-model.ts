import { adoptLibrary } from "../native/library.ts";
import { NO_MODEL_TRACING } from "../telemetry/tracing/model-tracing.ts";
import { AddonFlag } from "./addon-flag.ts";
import { CallRing, type TakenCall } from "./call-ring.ts";
import { closeModel, disposeOf } from "./close-model.ts";
import { describeError, MAX_LOAD_ERROR_LENGTH } from "./failures.ts";
import { type LoadedModel, loadModel } from "./load-model.ts";
import type {
  AbortMessage,
  CloseMessage,
  ForgetMessage,
  FromWorker,
  JobMessage,
  LoadMessage,
  ToWorker,
  WorkerResult,
} from "./messages.ts";
import { CallSignal } from "./model-call.ts";
import { ModelCaller } from "./model-caller.ts";
import { ResultRing } from "./result-ring.ts";
import { SpanReaders } from "./span-reader.ts";
import { findUncloned } from "./state-inspection.ts";

/** The worker's end of the channel to the pool: the global scope of a worker. */
export interface WorkerPort {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: FromWorker, transfer?: ArrayBuffer[]): void;
}

/**
 * Milliseconds after which calls that follow each other make room for a turn of the event loop, in which timers and
 * sockets of the model are served.
 */
const SERVING_MS = 10;

/** Serves one model on this thread until the thread ends: loads it, warms it up, and runs one call after the other. */
export function serveModel(port: WorkerPort): void {
  let thread: ModelThread | undefined;
  port.onmessage = ({ data }) => {
    const message = data as LoadMessage | ToWorker;
    if (message.type !== "load") return thread?.receive(message);
    thread = new ModelThread(port, message);
    void thread.load(message);
  };
}

interface RunningCall {
  readonly jobs: readonly JobMessage[];
  readonly signal: CallSignal;
}

class ModelThread {
  readonly #port: WorkerPort;
  readonly #ring: CallRing;
  readonly #results: ResultRing;
  readonly #options = new Map<number, unknown>();
  /** Jobs that came in messages, by the positions of their calls. */
  readonly #jobs = new Map<number, readonly JobMessage[]>();
  /** The next call, which waits for a message. */
  #taken: TakenCall | undefined;
  #loaded: LoadedModel | undefined;
  #caller: ModelCaller | undefined;
  /** Calls that the model takes at once. */
  #concurrency = 1;
  /** The model is being loaded or closed. */
  #away = true;
  /** Running calls, by their positions. */
  readonly #running = new Map<number, RunningCall>();
  /** Calls that were aborted before they were taken. */
  readonly #aborted = new Map<number, AbortMessage["reason"]>();
  /** States that calls have started and the host may not have. */
  readonly #started: { readonly position: number; readonly state: unknown }[] = [];
  /** Lanes that have ended, as long as they have a call. */
  #forgotten: ForgetMessage[] = [];
  #close: CloseMessage | undefined;

  constructor(port: WorkerPort, { calls, results }: LoadMessage) {
    this.#port = port;
    this.#ring = new CallRing(calls);
    this.#results = new ResultRing(results);
  }

  receive(message: ToWorker): void {
    this.#ring.countReceived();
    switch (message.type) {
      case "options":
        this.#options.set(message.lane, message.options);
        break;
      case "forget":
        this.#forgotten.push(message);
        this.#forget();
        break;
      case "abort":
        this.#abort(message);
        break;
      case "jobs":
        this.#jobs.set(message.position, message.jobs);
        break;
      case "close":
        this.#close = message;
        for (const { signal } of this.#running.values()) signal.abort("closed");
        return this.#callEnded();
      case "exit":
        return process.exit(0);
    }
    this.#serve();
  }

  async load(message: LoadMessage): Promise<void> {
    new AddonFlag(message.addonFlag).watch();
    adoptLibrary(message.library);
    try {
      this.#loaded = await loadModel(message);
      const { model, info, tracing, reports } = this.#loaded;
      this.#caller = new ModelCaller(this.#loaded, new SpanReaders(message.arena), this.#options);
      this.#concurrency = info.concurrency ?? 1;
      const keeps = model.close !== undefined || info.pinned || info.metrics !== undefined;
      const closes = keeps || tracing !== NO_MODEL_TRACING;
      this.#port.postMessage({ type: "ready", info, closes });
      reports.open((report) => this.#port.postMessage({ type: "report", report }));
    } catch (error) {
      this.#port.postMessage({ type: "load_failed", ...describeError(error, MAX_LOAD_ERROR_LENGTH) });
    }
    this.#away = false;
    this.#callEnded();
    this.#serve();
  }

  /**
   * Runs the calls in the ring until there is none, a message is on its way, or as many calls run as the model takes at
   * once. A synchronous model costs no turn of the event loop.
   */
  #serve(): void {
    const until = performance.now() + SERVING_MS;
    while (!this.#away && this.#running.size < this.#concurrency && !this.#ring.messageWaits) {
      const call = this.#taken ?? this.#ring.take();
      if (call === undefined) {
        if (this.#forgotten.length > 0) this.#forget();
        if (this.#ring.sleep()) return;
        continue;
      }
      // A message for the call may have been posted since the last look.
      this.#taken = this.#ring.messageWaits ? call : undefined;
      if (this.#taken !== undefined) return;
      const { position, jobs = this.#jobs.get(position) } = call;
      this.#jobs.delete(position);
      if (jobs !== undefined && jobs.length > 0) this.#call(position, jobs);
      if (performance.now() >= until) return void setImmediate(() => this.#serve());
    }
  }

  #call(position: number, jobs: readonly JobMessage[]): void {
    if (this.#caller === undefined) return;
    const startedMs = performance.now();
    const signal = new CallSignal();
    if (this.#aborted.size > 0) this.#abortTaken(position, signal);
    const done = (results: WorkerResult[]): void => {
      const sent = this.#send(position, performance.now() - startedMs, results);
      if (jobs[0]?.step === "start") this.#streamStarted(position, results[0]?.state, sent);
      this.#callEnded();
    };
    const results = this.#caller.run(jobs, signal);
    if (!(results instanceof Promise)) return done(results);
    this.#running.set(position, { jobs, signal });
    void results.then((late) => {
      this.#running.delete(position);
      done(late);
      this.#serve();
    });
  }

  #abort({ position, reason }: AbortMessage): void {
    const running = this.#running.get(position);
    if (running !== undefined) running.signal.abort(reason);
    else if (this.#ring.isQueued(position) || this.#taken?.position === position) this.#aborted.set(position, reason);
  }

  /** Aborts a call that is taken now, if it was to be aborted before. */
  #abortTaken(position: number, signal: CallSignal): void {
    const reason = this.#aborted.get(position);
    if (reason !== undefined) signal.abort(reason);
    for (const each of this.#aborted.keys()) if (!this.#ring.isQueued(each)) this.#aborted.delete(each);
  }

  /** Returns false when only an error could be sent, because the results cannot be cloned. */
  #send(position: number, inferMs: number, results: WorkerResult[]): boolean {
    if (!this.#results.write(position, inferMs, results)) return postDone(this.#port, position, inferMs, results);
    if (this.#results.signal()) this.#port.postMessage({ type: "results" });
    return true;
  }

  /** Keeps the state that a call has started until the host has it. */
  #streamStarted(position: number, state: unknown, sent: boolean): void {
    // Of calls that end in any order, the host has at most so many without a result.
    const most = this.#concurrency === 1 ? Infinity : this.#concurrency - 1;
    const isKnown = ({ position }: { readonly position: number }): boolean => this.#ring.isAnswered(position);
    const started = this.#started;
    while (started[0] !== undefined && (isKnown(started[0]) || started.length > most)) started.shift();
    if (state === undefined) return;
    if (sent) this.#started.push({ position, state });
    else void disposeOf(this.#loaded, state);
  }

  /** Forgets the lanes that have ended, unless one of their calls is queued or runs. */
  #forget(): void {
    if (this.#away || this.#taken !== undefined) return;
    this.#forgotten = this.#forgotten.filter(({ lane, last }) => {
      const isQueued = last !== undefined && this.#ring.isQueued(last);
      const isRunning = [...this.#running.values()].some(({ jobs }) => jobs.some((job) => job.lane === lane));
      if (isQueued || isRunning) return true;
      this.#options.delete(lane);
      this.#caller?.forget(lane);
      return false;
    });
  }

  #callEnded(): void {
    if (this.#forgotten.length > 0) this.#forget();
    if (this.#close !== undefined && !this.#away && this.#running.size === 0) void this.#leave(this.#close);
  }

  /** Closes the model and ends the thread. */
  async #leave({ unanswered }: CloseMessage): Promise<void> {
    this.#away = true;
    await this.#caller?.closeStreams();
    const unsent = this.#started.filter(({ position }) => unanswered.includes(position));
    await closeModel(
      this.#loaded,
      unsent.map(({ state }) => state),
    );
    process.exit(0);
  }
}

/** Returns false when only an error could be sent, because the results cannot be cloned. */
function postDone(port: WorkerPort, position: number, inferMs: number, results: WorkerResult[]): boolean {
  const transfer = results.flatMap(({ audio }) => (audio === undefined ? [] : [audio.samples.buffer as ArrayBuffer]));
  try {
    port.postMessage({ type: "done", position, inferMs, results }, transfer);
    return true;
  } catch (error) {
    const place = findUncloned(results[0]?.state);
    const cause = place === undefined ? describeError(error).message : place;
    const failure = { error: `the model's state cannot be passed between workers by structured clone: ${cause}` };
    port.postMessage({ type: "done", position, inferMs, results: results.map(() => failure) });
    return false;
  }
}
