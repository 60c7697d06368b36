import type { Call } from "../model/model.ts";
import { failure } from "./failures.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import {
  after,
  type AnyPinnedModel,
  closeStream,
  isStreamLost,
  type OpenStream,
  openStream,
  report,
  stepResult,
} from "./pinned-stream.ts";

type Results = WorkerResult[] | Promise<WorkerResult[]>;

/** A step of a batch, whose stream is open. */
interface BatchStep {
  /** Index of the job. */
  readonly index: number;
  readonly open: OpenStream;
}

/**
 * The open streams of a pinned model in this worker, one for each lane. The calls of a stream follow each other; one that
 * is to be closed during a call is closed after it.
 */
export class PinnedStreams {
  readonly #model: AnyPinnedModel;
  readonly #isSerial: boolean;
  readonly #open = new Map<number, OpenStream>();
  /** Lanes of the running calls. */
  readonly #running = new Set<number>();
  /** Those of them that have ended. */
  readonly #forgotten = new Set<number>();
  /** Streams that are being closed. */
  readonly #closing = new Set<Promise<void>>();
  #printed = false;

  /** @param concurrency calls that the model takes at once; with 1, it takes none while a stream is being closed */
  constructor(model: AnyPinnedModel, concurrency = 1) {
    this.#model = model;
    this.#isSerial = concurrency === 1;
  }

  /** Runs one call. Returns one result for each job, in order. Throws, or rejects with, what concerns all of them. */
  run(jobs: readonly JobMessage[], audios: Float32Array[], calls: Call[]): Results {
    if (this.#isSerial && this.#closing.size > 0) {
      return Promise.all(this.#closing).then(() => this.run(jobs, audios, calls));
    }
    for (const { lane } of jobs) this.#running.add(lane);
    try {
      const results = jobs.length > 1 ? this.#batch(jobs, audios, calls) : this.#one(jobs[0]!, audios[0]!, calls[0]!);
      if (results instanceof Promise) return results.finally(() => this.#ended(jobs));
      this.#ended(jobs);
      return results;
    } catch (error) {
      this.#ended(jobs);
      throw error;
    }
  }

  /** Closes the stream of a lane that has ended, now or after its running call. */
  forget(lane: number): void {
    if (this.#running.has(lane)) this.#forgotten.add(lane);
    else this.#closeAside(lane);
  }

  /** Closes all streams. To be called when no call runs. */
  async close(): Promise<void> {
    await Promise.all(this.#closing);
    for (const lane of [...this.#open.keys()]) await this.#close(lane);
  }

  #ended(jobs: readonly JobMessage[]): void {
    for (const { lane } of jobs) {
      this.#running.delete(lane);
      if (this.#forgotten.delete(lane)) this.#closeAside(lane);
    }
  }

  #closeAside(lane: number): void {
    const closing = this.#close(lane)?.then(() => void this.#closing.delete(closing!));
    if (closing !== undefined) this.#closing.add(closing);
  }

  #one(job: JobMessage, audio: Float32Array, call: Call): Results {
    if (job.step === "finish") return after(this.#finish(job, call), (result) => [result]);
    return after(this.#prepare(job, call), (open) => {
      if (audio.length === 0) return [report(open, job, {})];
      return after(this.#step(job.lane, open, audio, call), (result) => [report(open, job, result)]);
    });
  }

  /** Makes a step. Throws, or rejects with, its error; the stream is closed if that says so. */
  #step(lane: number, open: OpenStream, audio: Float32Array, call: Call): WorkerResult | Promise<WorkerResult> {
    const fail = (error: unknown): Promise<never> | never => {
      const closing = isStreamLost(error) ? this.#close(lane) : undefined;
      if (closing === undefined) throw error;
      return closing.then(() => {
        throw error;
      });
    };
    open.used = true;
    try {
      const result = after(open.stream.step(audio, call), (output) => stepResult(output, call.sampleRate));
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  }

  async #batch(jobs: readonly JobMessage[], audios: Float32Array[], calls: Call[]): Promise<WorkerResult[]> {
    const results: WorkerResult[] = [];
    const steps: BatchStep[] = [];
    for (const [index, job] of jobs.entries()) {
      try {
        if (job.step === "finish") results[index] = await this.#finish(job, calls[index]!);
        else {
          const open = await this.#prepare(job, calls[index]!);
          if (audios[index]!.length > 0) steps.push({ index, open });
          else results[index] = report(open, job, {});
        }
      } catch (error) {
        results[index] = failure(error);
      }
    }
    const outputs = await this.#stepAll(steps, jobs, audios, calls);
    for (const [i, { index, open }] of steps.entries()) {
      const output = outputs[i]!;
      results[index] = output.error === undefined ? report(open, jobs[index]!, output) : output;
    }
    return results;
  }

  /** Makes steps of several streams. Returns their results, in order. */
  async #stepAll(
    steps: readonly BatchStep[],
    jobs: readonly JobMessage[],
    audios: Float32Array[],
    calls: Call[],
  ): Promise<WorkerResult[]> {
    const [first] = steps;
    if (first === undefined) return [];
    try {
      if (steps.length > 1) return await this.#stepTogether(steps, audios, calls);
      const { index, open } = first;
      return [await this.#step(jobs[index]!.lane, open, audios[index]!, calls[index]!)];
    } catch (error) {
      if (steps.length > 1 && isStreamLost(error)) for (const { index } of steps) await this.#close(jobs[index]!.lane);
      // Streams may have moved on, so that no step can be repeated alone.
      return steps.map(() => (steps.length === 1 ? failure(error) : { ...failure(error), wholeBatch: true }));
    }
  }

  async #stepTogether(steps: readonly BatchStep[], audios: Float32Array[], calls: Call[]): Promise<WorkerResult[]> {
    for (const { open } of steps) open.used = true;
    const pick = <Item>(items: Item[]): Item[] => steps.map(({ index }) => items[index]!);
    const streams = steps.map(({ open }) => open.stream);
    const outputs: unknown = await this.#model.stepBatch?.(streams, pick(audios), pick(calls));
    if (!Array.isArray(outputs) || outputs.length !== steps.length) {
      throw new Error(`stepBatch() must return an array of ${steps.length} outputs`);
    }
    return outputs.map((output) => {
      try {
        return stepResult(output, calls[0]!.sampleRate);
      } catch (error) {
        return failure(error);
      }
    });
  }

  /** Returns the stream of a job, which is a new one if the lane has none, or is to begin anew. */
  #prepare(job: JobMessage, call: Call): OpenStream | Promise<OpenStream> {
    const { lane, step } = job;
    const last = this.#open.get(lane);
    if (last !== undefined && (step !== "start" || !last.used)) return last;
    return after(this.#close(lane), () =>
      after(openStream(this.#model, call), (stream) => {
        const open: OpenStream = { stream, used: false, openedBy: job };
        this.#open.set(lane, open);
        return open;
      }),
    );
  }

  /** Ends an utterance. The stream is ready for the next one afterwards, or closed. */
  #finish(job: JobMessage, call: Call): WorkerResult | Promise<WorkerResult> {
    const { lane } = job;
    const open = this.#open.get(lane);
    // What it was given is lost: without this, nobody would know.
    if (open === undefined) return { opened: true };
    const closed = (): void | Promise<void> => this.#close(lane);
    const complete = (output: unknown): WorkerResult | Promise<WorkerResult> => {
      // The end of an utterance is no news.
      const { endpoint: _, ...result } = stepResult(output, call.sampleRate);
      return after(this.#reset(lane, open), () => report(open, job, result));
    };
    const fail = (error: unknown): WorkerResult | Promise<WorkerResult> => after(closed(), () => failure(error));
    try {
      const result = after(open.stream.finish(call), complete);
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  }

  /** Makes a stream ready for the next utterance, or closes it. An error does not hide the result of `finish`. */
  #reset(lane: number, open: OpenStream): void | Promise<void> {
    if (open.stream.reset === undefined) return this.#close(lane);
    const fail = (error: unknown): void | Promise<void> => {
      this.#printOnce("reset()", error);
      return this.#close(lane);
    };
    try {
      const done = after(open.stream.reset(), () => void (open.used = false));
      return done instanceof Promise ? done.catch(fail) : done;
    } catch (error) {
      return fail(error);
    }
  }

  /** Closes the stream of a lane, if it has one. Errors are printed: the stream is gone anyway. */
  #close(lane: number): Promise<void> | undefined {
    const open = this.#open.get(lane);
    if (open === undefined) return undefined;
    this.#open.delete(lane);
    return closeStream(open.stream, (error) => this.#printOnce("close()", error));
  }

  /** Once for a worker, so that the log is not flooded when every stream fails. */
  #printOnce(what: string, error: unknown): void {
    if (!this.#printed) console.error(`${what} of a stream failed: ${String(error)}`);
    this.#printed = true;
  }
}
