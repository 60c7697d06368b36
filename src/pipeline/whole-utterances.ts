import type { Job, Outcome } from "../model/job.ts";
import type { Answers } from "./answers.ts";
import { NOTHING, type Step } from "./pipeline.ts";
import type { Speech, Utterances } from "./utterances.ts";

/** The model runs on each utterance as a whole and, for interim results, on what has been spoken of it so far. */
export class WholeUtterances implements Utterances {
  readonly #answers: Answers;
  readonly #speech: Speech;
  readonly #interimEvery: number;
  #interimAt = 0;

  /** @param interimEvery samples between two interims; Infinity: none were asked for */
  constructor(answers: Answers, speech: Speech, interimEvery: number) {
    this.#answers = answers;
    this.#speech = speech;
    this.#interimEvery = interimEvery;
  }

  get needed(): number {
    return this.#speech.needed;
  }

  get open(): number | undefined {
    return this.#speech.open;
  }

  get interimAt(): number {
    return this.#interimAt;
  }

  begun(position: number): void {
    this.#interimAt = position + this.#interimEvery;
  }

  decided(position: number): Step {
    const start = this.#speech.open;
    if (start === undefined || position < this.#interimAt) return NOTHING;
    this.#interimAt = position + this.#interimEvery;
    // The stream that this one goes on from has answered the utterance.
    if (start < this.#answers.covered) return NOTHING;
    return { events: [], jobs: [{ kind: "interim", start, end: position, utterance: this.#answers.nextFinal }] };
  }

  ended(start: number, end: number): Step {
    const job = this.#answers.expect({ kind: "final", start, end, utterance: this.#answers.nextFinal });
    return job === undefined ? NOTHING : { events: [], jobs: [job] };
  }

  resolved(job: Job, outcome: Outcome): Step {
    if (job.kind === "final") return { events: this.#answers.settle(job, outcome), jobs: [] };
    // An interim neither precedes an earlier utterance's final nor follows its own.
    const current = job.start === this.#speech.open && this.#answers.firstPending === undefined;
    const event = current ? this.#answers.interim(job, outcome) : undefined;
    return event === undefined ? NOTHING : { events: [event], jobs: [] };
  }

  restore(interimAt: number): void {
    this.#interimAt = interimAt;
  }
}
