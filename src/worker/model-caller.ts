import { messageOf } from "../lib/thrown.ts";
import { describeBuildError } from "../model/import-error.ts";
import type { Call, Model, StatefulModel } from "../model/model.ts";
import { isStateful, type LoadedModel } from "./load-model.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import { checkOutput } from "./output.ts";
import type { SpanReader } from "./span-reader.ts";

const MAX_ERROR_LENGTH = 500;

type Results = WorkerResult[] | Promise<WorkerResult[]>;
type StepResult = [output: object | undefined, state: unknown];

/** Calls a loaded model for jobs and checks what it returns. Errors that the model throws become results. */
export class ModelCaller {
  readonly #loaded: LoadedModel;
  readonly #reader: SpanReader;
  readonly #options: ReadonlyMap<number, unknown>;
  #batchFailed = false;

  /** @param options of the lanes, by number */
  constructor(loaded: LoadedModel, reader: SpanReader, options: ReadonlyMap<number, unknown>) {
    this.#loaded = loaded;
    this.#reader = reader;
    this.#options = options;
  }

  /** Runs one call. Returns one result for each job, in order; a promise only when the model returns one. */
  run(jobs: readonly JobMessage[]): Results {
    const fail = (error: unknown): WorkerResult[] => jobs.map(() => failure(error));
    try {
      const audios = this.#reader.read(jobs);
      const calls = jobs.map((job) => this.#describeCall(job));
      // Only the trace context of the first call can be the current one.
      const results = this.#loaded.tracing.within(calls[0]?.traceparent, () => this.#infer(jobs, audios, calls));
      return results instanceof Promise ? results.catch(fail) : results;
    } catch (error) {
      return fail(error);
    }
  }

  #describeCall({ lane, final, traceparent }: JobMessage): Call {
    const call = { final, sampleRate: this.#loaded.info.sampleRate, options: this.#options.get(lane) };
    return traceparent === undefined ? call : { ...call, traceparent };
  }

  #infer(jobs: readonly JobMessage[], audios: Float32Array[], calls: Call[]): Results {
    const { model } = this.#loaded;
    if (isStateful(model)) return runStep(model, jobs[0]!, audios[0]!, calls[0]!);
    if (jobs.length > 1) return this.#inferBatch(model, jobs, audios, calls);
    const { sampleRate } = calls[0]!;
    const output = model.infer(audios[0]!, calls[0]!);
    if (output instanceof Promise) return output.then((late) => [checkOutput(late, sampleRate)]);
    return [checkOutput(output, sampleRate)];
  }

  /** Calls the jobs one by one when the batch fails and a call may be repeated: one bad job fails alone. */
  async #inferBatch(
    model: Model<object>,
    jobs: readonly JobMessage[],
    audios: Float32Array[],
    calls: Call[],
  ): Promise<WorkerResult[]> {
    const { sampleRate, idempotent } = this.#loaded.info;
    try {
      const outputs: unknown = await model.inferBatch?.(audios, calls);
      if (!Array.isArray(outputs) || outputs.length !== audios.length) {
        throw new Error(`inferBatch() must return an array of ${audios.length} outputs`);
      }
      return outputs.map((output) => checkResult(output, sampleRate));
    } catch (error) {
      if (!idempotent) throw error;
      // Once, so that the log shows if every batch fails.
      if (!this.#batchFailed) console.error(`inferBatch() failed; its jobs are called one by one: ${String(error)}`);
      this.#batchFailed = true;
    }
    const results: WorkerResult[] = [];
    // Read again: the model may have written to the samples.
    for (const [i, audio] of this.#reader.read(jobs).entries()) {
      try {
        results.push(checkOutput(await model.infer(audio, calls[i]!), sampleRate));
      } catch (error) {
        results.push(failure(error));
      }
    }
    return results;
  }
}

function runStep(
  model: StatefulModel<object, unknown>,
  { step, state }: JobMessage,
  audio: Float32Array,
  call: Call,
): Results {
  const { sampleRate } = call;
  if (step === "finish") {
    const output = model.finish?.(state, call);
    if (output instanceof Promise) return output.then((late) => [optionalOutput(late, sampleRate)]);
    return [optionalOutput(output, sampleRate)];
  }
  if (step === "step") return stepResults(model.step(audio, state, call), sampleRate);
  const started = model.start(call);
  const firstStep = (first: unknown): Results =>
    audio.length === 0 ? [{ state: first }] : stepResults(model.step(audio, first, call), sampleRate);
  return started instanceof Promise ? started.then(firstStep) : firstStep(started);
}

function stepResults(result: StepResult | Promise<StepResult>, sampleRate: number): Results {
  if (result instanceof Promise) return result.then((late) => stepResults(late, sampleRate));
  if (!Array.isArray(result) || result.length !== 2) throw new Error("step() must return [output or undefined, state]");
  return [{ ...optionalOutput(result[0], sampleRate), state: result[1] }];
}

function optionalOutput(output: unknown, sampleRate: number): WorkerResult {
  return output === undefined ? {} : checkOutput(output, sampleRate);
}

function checkResult(output: unknown, sampleRate: number): WorkerResult {
  try {
    return checkOutput(output, sampleRate);
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): WorkerResult {
  const { message, stack } = describeError(error);
  return stack === undefined ? { error: message } : { error: message, stack };
}

/**
 * Returns the message of a thrown value, cut if it is long, and its stack if it has one. Errors of Bun's parser have no
 * stack: their places take its place.
 */
export function describeError(error: unknown, maxLength = MAX_ERROR_LENGTH): { message: string; stack?: string } {
  const message = messageOf(error).slice(0, maxLength);
  const stack = (error instanceof Error ? error.stack : undefined) ?? describeBuildError(error);
  return stack === undefined ? { message } : { message, stack };
}
