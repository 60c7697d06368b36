import type { Call } from "../model/model.ts";
import { failure } from "./failures.ts";
import type { JobMessage, WorkerResult } from "./messages.ts";
import {
  after,
  type AnyPinnedModel,
  closeStream,
  type OpenStream,
  openStream,
  optionalOutput,
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
 * The open streams of a pinned model in this worker, one for each lane. The caller makes one call at a time; a stream
 * that is to be closed during a call is closed after it.
 */
export class PinnedStreams {
  readonly #model: AnyPinnedModel;
  readonly #open = new Map<number, OpenStream>();
  /** Lanes that have ended during a call. */
  readonly #forgotten: number[] = [];
  #running = false;
  /** Streams are being closed. */
  #closing: Promise<void> | undefined;
  #printed = false;

  constructor(model: AnyPinnedModel) {
    this.#model = model;
  }

  /** Streams that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Runs one call. Returns one result for each job, in order. Throws, or rejects with, what concerns all of them. */
  run(jobs: readonly JobMessage[], audios: Float32Array[], calls: Call[]): Results {
    if (this.#closing !== undefined) return this.#closing.then(() => this.run(jobs, audios, calls));
    this.#running = true;
    try {
      const results = jobs.length > 1 ? this.#batch(jobs, audios, calls) : this.#one(jobs[0]!, audios[0]!, calls[0]!);
      if (results instanceof Promise) return results.finally(() => this.#ended());
      this.#ended();
      return results;
    } catch (error) {
      this.#ended();
      throw error;
    }
  }

  /** Closes the stream of a lane that has ended, now or after the running call. */
  forget(lane: number): void {
    if (this.#running || this.#closing !== undefined) this.#forgotten.push(lane);
    else this.#closeInTurn(lane);
  }

  /** Closes all streams. To be called when no call runs. */
  async close(): Promise<void> {
    await this.#closing;
    for (const lane of [...this.#open.keys()]) await this.#close(lane);
  }

  #ended(): void {
    this.#running = false;
    this.#closeForgotten();
  }

  #closeForgotten(): void {
    for (let lane = this.#forgotten.shift(); lane !== undefined; lane = this.#forgotten.shift()) {
      if (this.#closeInTurn(lane)) return;
    }
  }

  /** Returns whether the stream takes some time to close. */
  #closeInTurn(lane: number): boolean {
    const closing = this.#close(lane);
    if (closing === undefined) return false;
    this.#closing = closing.then(() => {
      this.#closing = undefined;
      this.#closeForgotten();
      return this.#closing;
    });
    return true;
  }

  #one(job: JobMessage, audio: Float32Array, call: Call): Results {
    if (job.step === "finish") return after(this.#finish(job, call), (result) => [result]);
    return after(this.#prepare(job, call), (open) => {
      if (audio.length === 0) return [report(open, job, {})];
      open.used = true;
      const { sampleRate } = call;
      return after(open.stream.step(audio, call), (output) => [report(open, job, stepResult(output, sampleRate))]);
    });
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
    for (const { open } of steps) open.used = true;
    const outputs = await this.#stepTogether(steps, audios, calls);
    for (const [i, { index, open }] of steps.entries()) {
      const output = outputs[i]!;
      results[index] = output.error === undefined ? report(open, jobs[index]!, output) : output;
    }
    return results;
  }

  /** Makes steps of several streams. Returns their results, in order. */
  async #stepTogether(steps: readonly BatchStep[], audios: Float32Array[], calls: Call[]): Promise<WorkerResult[]> {
    if (steps.length === 0) return [];
    const { sampleRate } = calls[0]!;
    const check = (output: unknown): WorkerResult => {
      try {
        return stepResult(output, sampleRate);
      } catch (error) {
        return failure(error);
      }
    };
    const [audiosOfSteps, callsOfSteps] = [
      steps.map(({ index }) => audios[index]!),
      steps.map(({ index }) => calls[index]!),
    ];
    try {
      const [first] = steps;
      if (steps.length === 1) return [check(await first!.open.stream.step(audiosOfSteps[0]!, callsOfSteps[0]!))];
      const streams = steps.map(({ open }) => open.stream);
      const outputs: unknown = await this.#model.stepBatch?.(streams, audiosOfSteps, callsOfSteps);
      if (!Array.isArray(outputs) || outputs.length !== steps.length) {
        throw new Error(`stepBatch() must return an array of ${steps.length} outputs`);
      }
      return outputs.map(check);
    } catch (error) {
      // Streams may have moved on, so that no step can be repeated alone.
      return steps.map(() => (steps.length === 1 ? failure(error) : { ...failure(error), wholeBatch: true }));
    }
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
    if (open === undefined) return {};
    const closed = (): void | Promise<void> => this.#close(lane);
    const complete = (output: unknown): WorkerResult | Promise<WorkerResult> => {
      const result = optionalOutput(output, call.sampleRate);
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
