import type { Job, Outcome } from "../model/job.ts";
import type { Samples } from "../native/samples.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { Answers } from "./answers.ts";
import { blockLength, type BlockPlace, type BlockSettings, readPlace } from "./blocks.ts";
import type { Pattern } from "./pattern.ts";
import { NOTHING, type Pipeline, type Step } from "./pipeline.ts";
import { type Turns, turnsOf } from "./turns.ts";

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
  takesPinned: true,
  section: "stateful",
  prepare(start, section: BlockSettings, context) {
    const blockSamples = blockLength("stateful", start, section, context);
    return {
      holdsMs: section.block_ms,
      started: {},
      finalFields: {},
      create: (answers, saved) => {
        const place = saved && readPlace(saved.state, blockSamples);
        const turns = turnsOf(context, saved?.modelState);
        return new StatefulPipeline(answers, blockSamples, turns, place);
      },
    };
  },
};

export class StatefulPipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #blockSamples: number;
  readonly #turns: Turns;
  /** Samples pushed. */
  #position: number;
  #blockStart: number;
  /** Blocks that wait for the one before them. */
  readonly #waiting: Job[] = [];
  #running: Job | undefined;

  /** @param turns what one call leaves for the next */
  constructor(
    answers: Answers,
    blockSamples: number,
    turns: Turns,
    place: BlockPlace = { position: 0, blockStart: 0 },
  ) {
    this.#answers = answers;
    this.#blockSamples = blockSamples;
    this.#turns = turns;
    this.#position = place.position;
    this.#blockStart = place.blockStart;
  }

  get grid(): number {
    return this.#blockSamples;
  }

  get modelState(): Pipeline["modelState"] {
    return this.#turns.state;
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
    if (this.#turns.finishes && this.#position > 0) {
      this.#expect({ kind: "final", step: "finish", start: this.#position, end: this.#position });
    }
    return this.#next();
  }

  resolved(job: Job, outcome: Outcome): Step {
    const expected = this.#running;
    if (expected === undefined) throw new Error("pipeline: an outcome, but no call is running");
    this.#running = undefined;
    const { origin, isLost } = this.#turns.called(job, outcome);
    const events = this.#answers.settle(expected, outcome, origin);
    if (isLost) {
      // Before the first result of the new stream, and after the error that has ended the one before.
      if (outcome.status === "ok") events.unshift(warningEvent("state_lost"));
      else events.push(warningEvent("state_lost"));
    }
    const next = this.#next();
    return { events: [...events, ...next.events], jobs: next.jobs };
  }

  save(): BlockPlace {
    return { position: this.#position, blockStart: this.#blockStart };
  }

  [Symbol.dispose](): void {}

  #cut(end: number): void {
    this.#expect({ kind: "final", start: this.#blockStart, end });
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
    const call = this.#turns.next(job);
    if (call === undefined) return { events: this.#answers.skip(job), jobs: [] };
    this.#running = job;
    return { events: [], jobs: [call] };
  }
}
