import type { Job, Outcome } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { Answers } from "./answers.ts";
import { NOTHING, type Pipeline, type PipelineOptions, type Step, type Tally } from "./pipeline.ts";

/**
 * Every piece goes through the model in turn: each call gets the state that the last good one returned, so that only one runs
 * at a time. What the model has to say when all is over is sent as `data`.
 */
export class StatefulPipeline implements Pipeline {
  readonly #blockSamples: number;
  readonly #sampleRate: number;
  readonly #answers: Answers;
  readonly #stateful: boolean;
  /** Samples pushed. */
  #clock = 0;
  /** Begin of the block that is filling up. */
  #block = 0;
  /** Blocks whose turn has not come. */
  readonly #waiting: Job[] = [];
  #running: Job | undefined;
  /** Undefined: no call has succeeded yet. */
  #state: { readonly value: unknown } | undefined;

  /** @param options.stateful the model carries state; one that does not is only called in turn */
  constructor(options: PipelineOptions & { readonly blockSamples: number; readonly stateful: boolean }) {
    this.#blockSamples = options.blockSamples;
    this.#sampleRate = options.sampleRate;
    this.#answers = new Answers(options);
    this.#stateful = options.stateful;
  }

  get tally(): Readonly<Tally> {
    return this.#answers.tally;
  }

  get needed(): number {
    return this.#answers.firstPending ?? this.#block;
  }

  get pending(): number {
    return this.#answers.pending;
  }

  push(_samples: Float32Array, _index: number, length: number): Step {
    this.#clock += length;
    while (this.#clock >= this.#block + this.#blockSamples) this.#cut(this.#block + this.#blockSamples);
    return this.#next();
  }

  /** The partial block ends here, and the grid begins anew; the state goes on. */
  flush(): Step {
    if (this.#clock > this.#block) this.#cut(this.#clock);
    const events = this.#answers.mark({ type: "flushed", time: this.#clock / this.#sampleRate });
    return { events, jobs: this.#next().jobs };
  }

  end(): Step {
    if (this.#clock > this.#block) this.#cut(this.#clock);
    // A stream without audio has no state to finish.
    if (this.#stateful && this.#clock > 0)
      this.#expect({ kind: "final", step: "finish", start: this.#clock, end: this.#clock });
    return this.#next();
  }

  resolved(_job: Job, outcome: Outcome): Step {
    const job = this.#running;
    if (job === undefined) throw new Error("pipeline: an outcome, but no call is running");
    this.#running = undefined;
    // After a failure the stream goes on from the last good state.
    if (outcome.status === "ok" && job.step !== "finish") this.#state = { value: outcome.state };
    const events = this.#answers.settle(job, outcome);
    const next = this.#next();
    return { events: [...events, ...next.events], jobs: next.jobs };
  }

  abort(clock: number, code: ErrorCode, message: string): Step {
    return { events: this.#answers.abort(this.#block, clock, code, message), jobs: [] };
  }

  [Symbol.dispose](): void {}

  #cut(end: number): void {
    this.#expect({ kind: "final", start: this.#block, end, ...(this.#stateful && { step: "step" }) });
    this.#block = end;
  }

  #expect(job: Job): void {
    this.#answers.expect(job);
    this.#waiting.push(job);
  }

  /** The next block's turn, when no call is running. */
  #next(): Step {
    const job = this.#running === undefined ? this.#waiting.shift() : undefined;
    if (job === undefined) return NOTHING;
    if (job.step === "finish" && this.#state === undefined) return { events: this.#answers.skip(job), jobs: [] };
    this.#running = job;
    if (!this.#stateful) return { events: [], jobs: [job] };
    const turn: Job = this.#state === undefined ? { ...job, step: "start" } : { ...job, state: this.#state.value };
    return { events: [], jobs: [turn] };
  }
}
