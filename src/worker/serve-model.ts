import { NO_MODEL_TRACING } from "../telemetry/tracing/model-tracing.ts";
import { loadModel } from "./load-model.ts";
import type { CallMessage, FromWorker, LoadMessage, ToWorker, WorkerResult } from "./messages.ts";
import { decodeMessage, encodeDone } from "./messages.ts";
import { describeError, ModelCaller } from "./model-caller.ts";
import { SpanReader } from "./span-reader.ts";

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
  const options = new Map<number, unknown>();
  let caller: ModelCaller | undefined;
  let close: () => Promise<void> = async () => {};
  let calls = 0;
  const load = async (message: LoadMessage): Promise<void> => {
    try {
      const loaded = await loadModel(message);
      caller = new ModelCaller(loaded, new SpanReader(message.arena), options);
      const { model, info, tracing } = loaded;
      close = async () => {
        await model.close?.();
        await tracing.close();
      };
      port.postMessage({ type: "ready", info, closes: model.close !== undefined || tracing !== NO_MODEL_TRACING });
    } catch (error) {
      port.postMessage({ type: "load_failed", ...describeError(error, MAX_LOAD_ERROR_LENGTH) });
    }
  };
  port.onmessage = (event) => {
    const message = decodeMessage(event.data) as ToWorker;
    switch (message.type) {
      case "load":
        return void load(message);
      case "options":
        return void options.set(message.lane, message.options);
      case "forget":
        return void options.delete(message.lane);
      case "call":
        if (++calls % CALLS_PER_COLLECTION === 0) Bun.gc(false);
        if (caller !== undefined) runCall(port, caller, message);
        return;
      case "close":
        return void close().then(() => process.exit(0));
    }
  };
}

/**
 * Posts the results at once when the model returns them at once: a synchronous model costs no turn of the event loop.
 */
function runCall(port: WorkerPort, caller: ModelCaller, { call, jobs }: CallMessage): void {
  const startedMs = performance.now();
  const done = (results: WorkerResult[]): void => postDone(port, call, performance.now() - startedMs, results);
  const results = caller.run(jobs);
  if (results instanceof Promise) void results.then(done);
  else done(results);
}

function postDone(port: WorkerPort, call: number, inferMs: number, results: WorkerResult[]): void {
  const transfer = results.flatMap(({ audio }) => (audio === undefined ? [] : [audio.samples.buffer as ArrayBuffer]));
  try {
    port.postMessage(encodeDone(call, inferMs, results), transfer);
  } catch (error) {
    const { message } = describeError(error);
    const failure = { error: `the model's state cannot be passed between workers by structured clone: ${message}` };
    const failures = results.map(() => failure);
    port.postMessage(encodeDone(call, inferMs, failures));
  }
}
