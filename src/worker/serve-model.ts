import { NO_MODEL_TRACING } from "../telemetry/tracing/model-tracing.ts";
import { AddonFlag } from "./addon-flag.ts";
import { isStateful, type LoadedModel, loadModel } from "./load-model.ts";
import type { CallMessage, CloseMessage, FromWorker, LoadMessage, ToWorker, WorkerResult } from "./messages.ts";
import { decodeMessage, encodeDone } from "./messages.ts";
import { describeError, ModelCaller } from "./model-caller.ts";
import { SpanReader } from "./span-reader.ts";
import { findUncloned } from "./state-inspection.ts";
import { disposeUnsent } from "./stream-steps.ts";

/** The worker's end of the channel to the pool: the global scope of a worker. */
export interface WorkerPort {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: FromWorker | string, transfer?: ArrayBuffer[]): void;
}

/**
 * Bun 1.4.5 counts the arena, which is shared, as memory that this thread keeps alive. Its collector therefore waits
 * for too long, so it is called after this many calls.
 */
const CALLS_PER_COLLECTION = 1_000;

/** Longest description of a load that failed. It may list several errors. */
const MAX_LOAD_ERROR_LENGTH = 4_000;

/** Serves one model on this thread until the thread ends: loads it, warms it up, and runs one call after the other. */
export function serveModel(port: WorkerPort): void {
  const thread = new ModelThread(port);
  port.onmessage = (event) => thread.receive(decodeMessage(event.data) as ToWorker);
}

class ModelThread {
  readonly #port: WorkerPort;
  readonly #options = new Map<number, unknown>();
  #loaded: LoadedModel | undefined;
  #caller: ModelCaller | undefined;
  /** The model is being loaded, or runs a call. */
  #busy = false;
  #calls = 0;
  /** The state that the last call started, if it did. */
  #started: { readonly call: number; readonly state: unknown } | undefined;
  #close: CloseMessage | undefined;

  constructor(port: WorkerPort) {
    this.#port = port;
  }

  receive(message: ToWorker): void {
    switch (message.type) {
      case "load":
        return void this.#load(message);
      case "options":
        return void this.#options.set(message.lane, message.options);
      case "forget":
        return void this.#options.delete(message.lane);
      case "call":
        return this.#call(message);
      case "close":
        this.#close = message;
        if (!this.#busy) void this.#leave(message);
        return;
      case "exit":
        return process.exit(0);
    }
  }

  async #load(message: LoadMessage): Promise<void> {
    new AddonFlag(message.addonFlag).watch();
    this.#busy = true;
    try {
      this.#loaded = await loadModel(message);
      const { model, info, tracing } = this.#loaded;
      this.#caller = new ModelCaller(this.#loaded, new SpanReader(message.arena), this.#options);
      const closes = model.close !== undefined || tracing !== NO_MODEL_TRACING;
      this.#port.postMessage({ type: "ready", info, closes });
    } catch (error) {
      this.#port.postMessage({ type: "load_failed", ...describeError(error, MAX_LOAD_ERROR_LENGTH) });
    }
    this.#becomeIdle();
  }

  /**
   * Posts the results at once when the model returns them at once: a synchronous model costs no turn of the event loop.
   */
  #call({ call, jobs }: CallMessage): void {
    if (this.#caller === undefined) return;
    if (++this.#calls % CALLS_PER_COLLECTION === 0) Bun.gc(false);
    const startedMs = performance.now();
    this.#busy = true;
    this.#started = undefined;
    const done = (results: WorkerResult[]): void => {
      const sent = postDone(this.#port, call, performance.now() - startedMs, results);
      if (jobs[0]?.step === "start") this.#streamStarted(call, results[0]?.state, sent);
      this.#becomeIdle();
    };
    const results = this.#caller.run(jobs);
    if (results instanceof Promise) void results.then(done);
    else done(results);
  }

  /** Keeps the state that a call has started until the host has it, which is at the next message. */
  #streamStarted(call: number, state: unknown, sent: boolean): void {
    if (state === undefined) return;
    if (sent) this.#started = { call, state };
    else void this.#dispose(state);
  }

  #becomeIdle(): void {
    this.#busy = false;
    if (this.#close !== undefined) void this.#leave(this.#close);
  }

  /** Closes the model and ends the thread. */
  async #leave({ unanswered }: CloseMessage): Promise<void> {
    try {
      if (this.#started !== undefined && this.#started.call === unanswered) await this.#dispose(this.#started.state);
      await this.#loaded?.model.close?.();
      await this.#loaded?.tracing.close();
    } catch (error) {
      console.error(`close() failed: ${String(error)}`);
    }
    process.exit(0);
  }

  async #dispose(state: unknown): Promise<void> {
    const model = this.#loaded?.model;
    if (model !== undefined && isStateful(model)) await disposeUnsent(model, state);
  }
}

/** Returns false when only an error could be sent, because the results cannot be cloned. */
function postDone(port: WorkerPort, call: number, inferMs: number, results: WorkerResult[]): boolean {
  const transfer = results.flatMap(({ audio }) => (audio === undefined ? [] : [audio.samples.buffer as ArrayBuffer]));
  try {
    port.postMessage(encodeDone(call, inferMs, results), transfer);
    return true;
  } catch (error) {
    const place = findUncloned(results[0]?.state);
    const cause = place === undefined ? describeError(error).message : place;
    const failure = { error: `the model's state cannot be passed between workers by structured clone: ${cause}` };
    const failures = results.map(() => failure);
    port.postMessage(encodeDone(call, inferMs, failures));
    return false;
  }
}
