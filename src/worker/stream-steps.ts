import type { Call, StatefulModel } from "../model/model.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import { checkOutput } from "./output.ts";

type AnyStatefulModel = StatefulModel<object, unknown>;
type StepResult = [output: object | undefined, state: unknown];
type Results = WorkerResult[] | Promise<WorkerResult[]>;

/** Calls a stateful model for one job. Returns one result. Throws, or rejects with, what the model throws. */
export function runStep(model: AnyStatefulModel, job: JobMessage, audio: Float32Array, call: Call): Results {
  const { step, state } = job;
  switch (step) {
    case "dispose":
      return disposed(model, state);
    case "finish":
      return finish(model, state, call);
    case "step":
      return stepResults(model.step(audio, state, call), call.sampleRate);
    default: {
      const started = model.start(call);
      if (started instanceof Promise) return started.then((first) => firstStep(model, first, audio, call));
      return firstStep(model, started, audio, call);
    }
  }
}

/**
 * Disposes of a state that the server does not get: nobody else can. An error is printed, because it must not hide the
 * reason why the state is dropped.
 */
export async function disposeUnsent(model: AnyStatefulModel, state: unknown): Promise<void> {
  try {
    await model.dispose?.(state);
  } catch (error) {
    console.error(`dispose() failed: ${String(error)}`);
  }
}

/** A state is given to exactly one of `finish` and `dispose`. */
function finish(model: AnyStatefulModel, state: unknown, call: Call): Results {
  if (model.finish === undefined) return disposed(model, state);
  const { sampleRate } = call;
  const output = model.finish(state, call);
  if (output instanceof Promise) return output.then((late) => [optionalOutput(late, sampleRate)]);
  return [optionalOutput(output, sampleRate)];
}

function disposed(model: AnyStatefulModel, state: unknown): Results {
  const done = model.dispose?.(state);
  return done instanceof Promise ? done.then(() => [{}]) : [{}];
}

/** Makes the first step from the state that `start` has returned. If it fails, the server has no state to dispose of. */
function firstStep(model: AnyStatefulModel, first: unknown, audio: Float32Array, call: Call): Results {
  if (audio.length === 0) return [{ state: first }];
  let last = first;
  const complete = (result: StepResult): WorkerResult[] => {
    if (isStepResult(result)) last = result[1];
    return [stepResult(result, call.sampleRate)];
  };
  const fail = async (error: unknown): Promise<never> => {
    await disposeUnsent(model, last);
    throw error;
  };
  try {
    const result = model.step(audio, first, call);
    return result instanceof Promise ? result.then(complete).catch(fail) : complete(result);
  } catch (error) {
    return fail(error);
  }
}

function stepResults(result: StepResult | Promise<StepResult>, sampleRate: number): Results {
  if (result instanceof Promise) return result.then((late) => [stepResult(late, sampleRate)]);
  return [stepResult(result, sampleRate)];
}

function stepResult(result: StepResult, sampleRate: number): WorkerResult {
  if (!isStepResult(result)) throw new Error("step() must return [output or undefined, state]");
  return { ...optionalOutput(result[0], sampleRate), state: result[1] };
}

function isStepResult(result: unknown): result is StepResult {
  return Array.isArray(result) && result.length === 2;
}

function optionalOutput(output: unknown, sampleRate: number): WorkerResult {
  return output === undefined ? {} : checkOutput(output, sampleRate);
}
