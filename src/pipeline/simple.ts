import type { Job, Outcome } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { Answers } from "./answers.ts";
import { NOTHING, type Pipeline, type PipelineOptions, type Step, type Tally } from "./pipeline.ts";

/**
 * Every piece of audio goes through the model. Pieces are independent: they are blocks on a fixed grid, several run at once,
 * and their results come back in order.
 */
export class SimplePipeline implements Pipeline {
  readonly #blockSamples: number;
  readonly #sampleRate: number;
  readonly #answers: Answers;
  /** Samples pushed. */
  #clock = 0;
  /** Begin of the block that is filling up. */
  #block = 0;

  constructor(options: PipelineOptions & { readonly blockSamples: number }) {
    this.#blockSamples = options.blockSamples;
    this.#sampleRate = options.sampleRate;
    this.#answers = new Answers(options);
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
    if (this.#clock < this.#block + this.#blockSamples) return NOTHING;
    const jobs: Job[] = [];
    while (this.#clock >= this.#block + this.#blockSamples) jobs.push(this.#cut(this.#block + this.#blockSamples));
    return { events: [], jobs };
  }

  /** The partial block ends here, and the grid begins anew. */
  flush(): Step {
    const { jobs } = this.end();
    return { events: this.#answers.mark({ type: "flushed", time: this.#clock / this.#sampleRate }), jobs };
  }

  end(): Step {
    if (this.#clock === this.#block) return NOTHING;
    return { events: [], jobs: [this.#cut(this.#clock)] };
  }

  resolved(job: Job, outcome: Outcome): Step {
    return { events: this.#answers.settle(job, outcome), jobs: [] };
  }

  abort(clock: number, code: ErrorCode, message: string): Step {
    return { events: this.#answers.abort(this.#block, clock, code, message), jobs: [] };
  }

  [Symbol.dispose](): void {}

  #cut(end: number): Job {
    const job: Job = { kind: "final", start: this.#block, end };
    this.#block = end;
    return this.#answers.expect(job);
  }
}
