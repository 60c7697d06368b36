import type { Job, Outcome } from "../model/job.ts";
import type { Samples } from "../native/samples.ts";
import type { Answers } from "./answers.ts";
import { blockLength, type BlockPlace, type BlockSettings, readPlace } from "./blocks.ts";
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
      create: (answers, saved) =>
        new SimplePipeline(answers, blockSamples, saved && readPlace(saved.state, blockSamples)),
    };
  },
};

export class SimplePipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #blockSamples: number;
  /** Samples pushed. */
  #position: number;
  #blockStart: number;

  constructor(answers: Answers, blockSamples: number, place: BlockPlace = { position: 0, blockStart: 0 }) {
    this.#answers = answers;
    this.#blockSamples = blockSamples;
    this.#position = place.position;
    this.#blockStart = place.blockStart;
  }

  get grid(): number {
    return this.#blockSamples;
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
      this.#cut(end, jobs);
    }
    return jobs.length === 0 ? NOTHING : { events: [], jobs };
  }

  /** The partial block ends here, and the grid restarts. */
  flush(): Step {
    if (this.#position === this.#blockStart) return NOTHING;
    const jobs: Job[] = [];
    this.#cut(this.#position, jobs);
    return { events: [], jobs };
  }

  end(): Step {
    return this.flush();
  }

  resolved(job: Job, outcome: Outcome): Step {
    return { events: this.#answers.settle(job, outcome), jobs: [] };
  }

  save(): BlockPlace {
    return { position: this.#position, blockStart: this.#blockStart };
  }

  [Symbol.dispose](): void {}

  #cut(end: number, jobs: Job[]): void {
    const job = this.#answers.expect({ kind: "final", start: this.#blockStart, end });
    this.#blockStart = end;
    if (job !== undefined) jobs.push(job);
  }
}
