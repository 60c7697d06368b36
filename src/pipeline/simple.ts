import type { Job, Outcome } from "../model/job.ts";
import type { Samples } from "../native/samples.ts";
import type { Answers } from "./answers.ts";
import { blockLength, type BlockSettings } from "./blocks.ts";
import type { Pattern } from "./pattern.ts";
import { NOTHING, type Pipeline, type Step } from "./pipeline.ts";

/**
 * Every block goes through the model. Blocks are independent: several run at once, and their results come back in
 * order.
 */
export const simple: Pattern = {
  name: "simple",
  description: "Every block of audio goes through the model; results are `segment` events without `is_final`.",
  keepsState: false,
  usesVad: false,
  section: "simple",
  prepare(start, section: BlockSettings, context) {
    const blockSamples = blockLength("simple", start, section, context);
    return {
      holdsMs: section.block_ms,
      started: {},
      finalFields: {},
      create: (answers) => new SimplePipeline(answers, blockSamples),
    };
  },
};

export class SimplePipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #blockSamples: number;
  /** Samples pushed. */
  #position = 0;
  #blockStart = 0;

  constructor(answers: Answers, blockSamples: number) {
    this.#answers = answers;
    this.#blockSamples = blockSamples;
  }

  get needed(): number {
    return this.#blockStart;
  }

  get undecided(): number {
    return this.#blockStart;
  }

  push(_samples: Samples, _index: number, length: number): Step {
    this.#position += length;
    const jobs: Job[] = [];
    for (let end = this.#blockStart + this.#blockSamples; end <= this.#position; end += this.#blockSamples) {
      jobs.push(this.#cut(end));
    }
    return jobs.length === 0 ? NOTHING : { events: [], jobs };
  }

  /** The partial block ends here, and the grid restarts. */
  flush(): Step {
    return this.#position === this.#blockStart ? NOTHING : { events: [], jobs: [this.#cut(this.#position)] };
  }

  end(): Step {
    return this.flush();
  }

  resolved(job: Job, outcome: Outcome): Step {
    return { events: this.#answers.settle(job, outcome), jobs: [] };
  }

  [Symbol.dispose](): void {}

  #cut(end: number): Job {
    const job: Job = { kind: "final", start: this.#blockStart, end };
    this.#blockStart = end;
    return this.#answers.expect(job);
  }
}
