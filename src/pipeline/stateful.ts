import type { Job, Outcome } from "../model/job.ts";
import type { Samples } from "../native/samples.ts";
import type { Answers } from "./answers.ts";
import { blockLength, type BlockPlace, type BlockSettings, readPlace } from "./blocks.ts";
import type { Pattern } from "./pattern.ts";
import { NOTHING, type Pipeline, type Step } from "./pipeline.ts";

/**
 * Every block goes through the model in turn. Each call gets the state that the last good call returned, so only one
 * runs at a time. The model's last result, when the stream has ended, is sent as `data`.
 */
export const stateful: Pattern = {
  name: "stateful",
  description:
    "Every block of audio goes through the model in turn, each call with the state that the last one returned; " +
    "results are `segment` events without `is_final`, and `data` at the end of the stream.",
  keepsState: true,
  usesVad: false,
  section: "stateful",
  prepare(start, section: BlockSettings, context) {
    const blockSamples = blockLength("stateful", start, section, context);
    return {
      holdsMs: section.block_ms,
      started: {},
      finalFields: {},
      create: (answers, saved) => {
        const place = saved && readPlace(saved.state, blockSamples);
        return new StatefulPipeline(answers, blockSamples, context.keepsState, place, saved?.modelState);
      },
    };
  },
};

export class StatefulPipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #blockSamples: number;
  readonly #keepsState: boolean;
  /** Samples pushed. */
  #position: number;
  #blockStart: number;
  /** Blocks that wait for the one before them. */
  readonly #waiting: Job[] = [];
  #running: Job | undefined;
  /** Undefined until a call has succeeded. */
  #state: { readonly value: unknown } | undefined;

  /** @param keepsState false: the model keeps no state and is only called in turn @param state of the model */
  constructor(
    answers: Answers,
    blockSamples: number,
    keepsState: boolean,
    place: BlockPlace = { position: 0, blockStart: 0 },
    state?: { readonly value: unknown },
  ) {
    this.#answers = answers;
    this.#blockSamples = blockSamples;
    this.#keepsState = keepsState;
    this.#position = place.position;
    this.#blockStart = place.blockStart;
    this.#state = state;
  }

  get grid(): number {
    return this.#blockSamples;
  }

  get modelState(): { readonly value: unknown } | undefined {
    return this.#state;
  }

  get needed(): number {
    return this.#blockStart;
  }

  get undecided(): number {
    return this.#blockStart;
  }

  push(_samples: Samples, _index: number, length: number): Step {
    this.#position += length;
    for (let end = this.#blockStart + this.#blockSamples; end <= this.#position; end += this.#blockSamples) {
      this.#cut(end);
    }
    return this.#next();
  }

  /** The partial block ends here, and the grid restarts. The state goes on. */
  flush(): Step {
    if (this.#position > this.#blockStart) this.#cut(this.#position);
    return this.#next();
  }

  end(): Step {
    if (this.#position > this.#blockStart) this.#cut(this.#position);
    // A stream without audio has no state to finish.
    if (this.#keepsState && this.#position > 0) {
      this.#expect({ kind: "final", step: "finish", start: this.#position, end: this.#position });
    }
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

  save(): BlockPlace {
    return { position: this.#position, blockStart: this.#blockStart };
  }

  [Symbol.dispose](): void {}

  #cut(end: number): void {
    this.#expect({ kind: "final", start: this.#blockStart, end, ...(this.#keepsState && { step: "step" }) });
    this.#blockStart = end;
  }

  #expect(job: Job): void {
    const expected = this.#answers.expect(job);
    if (expected !== undefined) this.#waiting.push(expected);
  }

  /** Starts the next block's call when none is running. */
  #next(): Step {
    const job = this.#running === undefined ? this.#waiting.shift() : undefined;
    if (job === undefined) return NOTHING;
    if (job.step === "finish" && this.#state === undefined) return { events: this.#answers.skip(job), jobs: [] };
    this.#running = job;
    if (!this.#keepsState) return { events: [], jobs: [job] };
    const call: Job = this.#state === undefined ? { ...job, step: "start" } : { ...job, state: this.#state.value };
    return { events: [], jobs: [call] };
  }
}
