import type { Call, PinnedModel, PinnedStream } from "../model/model.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import { checkOutput, isPlain } from "./output.ts";

export type AnyPinnedModel = PinnedModel<object>;
type AnyPinnedStream = PinnedStream<object>;

/** The stream of a lane. */
export interface OpenStream {
  readonly stream: AnyPinnedStream;
  /** It has had audio since it was opened or reset. */
  used: boolean;
  /** The job that has opened it, until the server has a result that says so. */
  openedBy: JobMessage | undefined;
}

/** Opens a stream. Throws, or rejects with, an error for the author when it is none. */
export function openStream(model: AnyPinnedModel, call: Call): AnyPinnedStream | Promise<AnyPinnedStream> {
  return after(model.open(call), (stream) => {
    const has = (name: string): boolean =>
      typeof stream === "object" && stream !== null && typeof (stream as never)[name] === "function";
    for (const name of ["step", "finish", "close"]) {
      if (!has(name))
        throw new Error(`open() must return a stream with step(), finish() and close(); it has no ${name}()`);
    }
    return stream;
  });
}

/** Closes a stream. Returns a promise only if the stream does. @param failed receives an error */
export function closeStream(stream: AnyPinnedStream, failed: (error: unknown) => void): Promise<void> | undefined {
  try {
    const done: unknown = stream.close();
    return done instanceof Promise ? done.then(() => {}, failed) : undefined;
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/**
 * Adds to the first result of a stream that the stream was opened. When that call has failed, the next result has it,
 * because the server does not know yet that the stream before is lost, unless it has asked for a new one.
 */
export function report(open: OpenStream, job: JobMessage, result: WorkerResult): WorkerResult {
  const { openedBy } = open;
  open.openedBy = undefined;
  if (openedBy === undefined || (openedBy !== job && openedBy.step === "start")) return result;
  return { ...result, opened: true };
}

/** Returns whether an error of a step says that its stream cannot go on. */
export function isStreamLost(error: unknown): boolean {
  return typeof error === "object" && error !== null && "streamLost" in error && error.streamLost === true;
}

/** Checks the output of a step, and takes from it whether the utterance ends. */
export function stepResult(output: unknown, sampleRate: number): WorkerResult {
  if (!isPlain(output) || !("endpoint" in output)) return optionalOutput(output, sampleRate);
  const { endpoint, ...rest } = output;
  if (endpoint !== undefined && typeof endpoint !== "boolean") {
    throw new Error(`the output's "endpoint" must be true or false, not ${String(endpoint)}`);
  }
  const result = Object.keys(rest).length === 0 ? {} : checkOutput(rest, sampleRate);
  return endpoint === true ? { ...result, endpoint } : result;
}

function optionalOutput(output: unknown, sampleRate: number): WorkerResult {
  return output === undefined ? {} : checkOutput(output, sampleRate);
}

/** Continues with a value, now if it is none of a promise. */
export function after<T, Result>(
  value: T | Promise<T>,
  next: (value: T) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}
