import type { Call, Model } from "../model/model.ts";
import { failure } from "./failures.ts";
import { isPinned, isStateful, type LoadedModel } from "./load-model.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import { CallSignal, ModelCall } from "./model-call.ts";
import { checkOutput } from "./output.ts";
import { PinnedStreams } from "./pinned-streams.ts";
import type { SpanReader, SpanReaders } from "./span-reader.ts";
import { findUncloned } from "./state-inspection.ts";
import { runStep } from "./stream-steps.ts";

type Results = WorkerResult[] | Promise<WorkerResult[]>;

/** States that are searched for objects that lose their methods: those of the first calls. */
const INSPECTED_STATES = 4;
const CLONE_HINT = "the state is a copy made by structured clone, in which objects have no methods";

/** Calls a loaded model for jobs and checks what it returns. Errors that the model throws become results. */
export class ModelCaller {
  readonly #loaded: LoadedModel;
  readonly #readers: SpanReaders;
  readonly #options: ReadonlyMap<number, unknown>;
  /** Undefined: the model is not pinned. */
  readonly #streams: PinnedStreams | undefined;
  #batchFailed = false;
  #inspections = INSPECTED_STATES;
  /** The first object in a state of this worker that loses its methods. */
  #uncloned: string | undefined;

  /** @param options of the lanes, by number */
  constructor(loaded: LoadedModel, readers: SpanReaders, options: ReadonlyMap<number, unknown>) {
    this.#loaded = loaded;
    this.#readers = readers;
    this.#options = options;
    if (isPinned(loaded.model)) this.#streams = new PinnedStreams(loaded.model, loaded.info.concurrency);
  }

  /** A lane has ended: its stream is closed, if it has one, after the running call. */
  forget(lane: number): void {
    this.#streams?.forget(lane);
  }

  /** Closes all streams. To be called when no call runs. */
  async closeStreams(): Promise<void> {
    await this.#streams?.close();
  }

  /** Runs one call. Returns one result for each job, in order; a promise only when the model returns one. */
  run(jobs: readonly JobMessage[], signal = new CallSignal()): Results {
    const fail = (error: unknown): WorkerResult[] => jobs.map((job) => this.#failure(job, error));
    const reader = this.#readers.take();
    try {
      const audios = reader.read(jobs);
      const { sampleRate } = this.#loaded.info;
      const calls = jobs.map((job) => new ModelCall(job, sampleRate, this.#options.get(job.lane), signal));
      // Only the trace context of the first call can be the current one.
      const results = this.#loaded.tracing.within(calls[0]?.traceparent, () =>
        this.#infer(jobs, audios, calls, reader),
      );
      if (results instanceof Promise) return results.catch(fail).finally(() => this.#readers.giveBack(reader));
      this.#readers.giveBack(reader);
      return results;
    } catch (error) {
      this.#readers.giveBack(reader);
      return fail(error);
    }
  }

  #infer(jobs: readonly JobMessage[], audios: Float32Array[], calls: Call[], reader: SpanReader): Results {
    const { model } = this.#loaded;
    if (isPinned(model)) return this.#streams!.run(jobs, audios, calls);
    if (isStateful(model)) {
      const results = runStep(model, jobs[0]!, audios[0]!, calls[0]!);
      if (this.#inspections === 0) return results;
      return results instanceof Promise ? results.then((late) => this.#inspect(late)) : this.#inspect(results);
    }
    if (jobs.length > 1) return this.#inferBatch(model, jobs, audios, calls, reader);
    const output = model.infer(audios[0]!, calls[0]!);
    if (output instanceof Promise) return output.then((late) => [checkInferred(late, calls[0]!)]);
    return [checkInferred(output, calls[0]!)];
  }

  /** Adds to the first result whose state has an object that loses its methods what it is. */
  #inspect(results: WorkerResult[]): WorkerResult[] {
    const [result] = results;
    if (result?.state === undefined) return results;
    const uncloned = findUncloned(result.state);
    this.#inspections = uncloned === undefined ? this.#inspections - 1 : 0;
    if (uncloned === undefined) return results;
    this.#uncloned = uncloned;
    return [{ ...result, uncloned }];
  }

  /** Explains the error of a model that calls a method of an object in its state. */
  #failure({ state }: JobMessage, error: unknown): WorkerResult {
    const result = failure(error);
    if (typeof state !== "object" || !(error instanceof TypeError) || !/is not a function/.test(error.message)) {
      return result;
    }
    const hint = this.#uncloned === undefined ? CLONE_HINT : `${CLONE_HINT} (when it was returned, ${this.#uncloned})`;
    return { ...result, error: `${result.error}; ${hint}` };
  }

  /** Calls the jobs one by one when the batch fails and a call may be repeated: one bad job fails alone. */
  async #inferBatch(
    model: Model<object>,
    jobs: readonly JobMessage[],
    audios: Float32Array[],
    calls: Call[],
    reader: SpanReader,
  ): Promise<WorkerResult[]> {
    const { idempotent } = this.#loaded.info;
    try {
      const outputs: unknown = await model.inferBatch?.(audios, calls);
      if (!Array.isArray(outputs) || outputs.length !== audios.length) {
        throw new Error(`inferBatch() must return an array of ${audios.length} outputs`);
      }
      return outputs.map((output, i) => checkResult(output, calls[i]!));
    } catch (error) {
      if (!idempotent) return jobs.map(() => ({ ...failure(error), wholeBatch: true }));
      // Once, so that the log shows if every batch fails.
      if (!this.#batchFailed) console.error(`inferBatch() failed; its jobs are called one by one: ${String(error)}`);
      this.#batchFailed = true;
    }
    const results: WorkerResult[] = [];
    // Read again: the model may have written to the samples.
    for (const [i, audio] of reader.read(jobs).entries()) {
      try {
        results.push(checkInferred(await model.infer(audio, calls[i]!), calls[i]!));
      } catch (error) {
        results.push(failure(error));
      }
    }
    return results;
  }
}

/** Checks what `infer` has returned: nothing, in place of an interim result, or an output. */
function checkInferred(output: unknown, { final, sampleRate }: Call): WorkerResult {
  return output === undefined && !final ? {} : checkOutput(output, sampleRate);
}

function checkResult(output: unknown, call: Call): WorkerResult {
  try {
    return checkInferred(output, call);
  } catch (error) {
    return failure(error);
  }
}
