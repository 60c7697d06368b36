import type { Job, Outcome } from "../model/job.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { Answers } from "./answers.ts";
import { losesState, STREAM_LOST } from "./lost-stream.ts";
import { NOTHING, type PipelineEvent, type Step } from "./pipeline.ts";
import type { Speech, Utterances } from "./utterances.ts";

/** Lengths in samples. */
export interface PinnedLengths {
  readonly step: number;
  /** Audio behind speech that may be given to the model while nobody knows whether the speech goes on. */
  readonly postRoll: number;
  readonly maxUtterance: number;
  /** Between two interims; Infinity: none were asked for. */
  readonly interimEvery: number;
}

/**
 * Speech as endpointing finds it. It has one segment after the other: one ends with it, at the full length of an
 * utterance, where the model says so, or where the model fails. Only those are segments that hold speech.
 */
interface Stretch {
  /** Begin of the current segment. */
  start: number;
  /** End of what has been given to the model of it. */
  fed: number;
  /** End of what may be given to it. */
  limit: number;
  /** End of the last speech window. */
  speechEnd: number;
  /** Undefined while it is open. */
  end: number | undefined;
  /** The final of what is left of it from `start` on; undefined while it is open, or when no speech is left. */
  rest: Job | undefined;
  /** The model has found the end of the segment: at `fed`. */
  endpoint: boolean;
  /** Position from which on the next interim is due. */
  interimAt: number;
}

/** A call that runs: a step, or the `finish` that answers a final. */
interface Running {
  readonly job: Job;
  readonly final: Job | undefined;
}

/**
 * A pinned model is given each utterance step by step, each sample once. What a step returns is an interim result, and
 * what `finish` returns is the final. Steps lie on a grid that begins with the first sample of their segment, and one
 * call runs at a time; so neither the cut of messages nor the pace of the model changes what the model gets.
 */
export class PinnedUtterances implements Utterances {
  readonly #answers: Answers;
  readonly #speech: Speech;
  readonly #lengths: PinnedLengths;
  /** The model works on the first one. The last one may be open. */
  readonly #stretches: Stretch[] = [];
  #running: Running | undefined;
  /** The lane has a stream in the worker, as far as is known. */
  #hasStream = false;

  constructor(answers: Answers, speech: Speech, lengths: PinnedLengths) {
    this.#answers = answers;
    this.#speech = speech;
    this.#lengths = lengths;
  }

  /** All steps that can be taken have been: what is left is less than a step, or a pause. */
  get needed(): number {
    const last = this.#stretches.at(-1);
    if (last === undefined || last.end !== undefined) return this.#speech.needed;
    const { step } = this.#lengths;
    if (!hasSpeech(last)) return last.fed;
    return last.fed + Math.floor(Math.max(0, last.limit - last.fed) / step) * step;
  }

  get held(): number {
    return this.#running?.job.start ?? this.#stretches[0]?.fed ?? this.#speech.needed;
  }

  get unanswered(): number {
    return this.#stretches[0]?.start ?? this.#speech.needed;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  get open(): number | undefined {
    const last = this.#stretches.at(-1);
    return last?.end === undefined ? (last?.start ?? this.#speech.open) : this.#speech.open;
  }

  /** Interims are due by the steps of their segment. */
  get interimAt(): number {
    return this.#lengths.interimEvery === Infinity ? Infinity : 0;
  }

  begun(): void {}

  decided(position: number): Step {
    const { open, speechEnd } = this.#speech;
    if (open === undefined) return NOTHING;
    const stretch = this.#openStretch(open);
    stretch.speechEnd = speechEnd;
    stretch.limit = Math.min(position, speechEnd + this.#lengths.postRoll);
    return this.#next();
  }

  ended(start: number, end: number, position: number): Step {
    const stretch = this.#openStretch(start);
    // Windows of the last samples may be undecided.
    stretch.speechEnd = this.#speech.speechEnd >= position ? end : this.#speech.speechEnd;
    stretch.end = stretch.limit = end;
    if (stretch.start < end && (stretch.fed > stretch.start || hasSpeech(stretch))) {
      stretch.rest = this.#answers.expect({ kind: "final", start: stretch.start, end });
    }
    return this.#next();
  }

  resolved(job: Job, outcome: Outcome): Step {
    const running = this.#running;
    const stretch = this.#stretches[0];
    if (running?.job !== job || stretch === undefined) throw new Error("pipeline: an outcome, but no call is running");
    this.#running = undefined;
    // The lane has been closed.
    if (outcome.status === "dropped") return NOTHING;
    const { final } = running;
    const events = final === undefined ? this.#stepped(stretch, job, outcome) : this.#finished(final, outcome);
    const next = this.#next();
    return { events: [...events, ...next.events], jobs: next.jobs };
  }

  restore(): void {}

  /** @param start begin of the utterance that is open */
  #openStretch(start: number): Stretch {
    const last = this.#stretches.at(-1);
    if (last !== undefined && last.end === undefined) return last;
    // The stream that this one goes on from may have answered a part.
    const from = Math.max(start, this.#answers.covered);
    const stretch: Stretch = {
      ...{ start: from, fed: from, limit: from, speechEnd: from, end: undefined, rest: undefined, endpoint: false },
      interimAt: from + this.#lengths.interimEvery,
    };
    this.#stretches.push(stretch);
    return stretch;
  }

  /** Starts the next call when none is running and it can be known what it is. */
  #next(): Step {
    const events: PipelineEvent[] = [];
    while (this.#running === undefined) {
      const stretch = this.#stretches[0];
      if (stretch === undefined) break;
      if (stretch.fed === stretch.start && !hasSpeech(stretch)) {
        if (stretch.end === undefined) break;
        if (stretch.rest !== undefined) events.push(...this.#answers.withdraw(stretch.rest));
        this.#stretches.shift();
        continue;
      }
      this.#running = this.#nextCall(stretch);
      if (this.#running === undefined) break;
      return { events, jobs: [this.#running.job] };
    }
    return events.length === 0 ? NOTHING : { events, jobs: [] };
  }

  #nextCall(stretch: Stretch): Running | undefined {
    const utterance = this.#answers.answered.finals;
    const last = this.#lastOf(stretch);
    const start = stretch.fed;
    if (start === last || stretch.endpoint) {
      const job: Job = { kind: "final", step: "finish", start, end: start, utterance };
      return { job, final: this.#take(stretch, start) };
    }
    const end = Math.min(start + this.#lengths.step, last);
    if (end > stretch.limit) return undefined;
    stretch.fed = end;
    const kind = this.#hasStream ? "step" : "start";
    return { job: { kind: "final", step: kind, start, end, utterance, givesInterim: true }, final: undefined };
  }

  /** The latest end of the current segment. */
  #lastOf({ start, end = Infinity }: Stretch): number {
    return Math.min(start + this.#lengths.maxUtterance, end);
  }

  /**
   * Returns whether the final is next, whatever is known of the end of the speech: that depends on the pace of the model.
   */
  #isLast({ start, endpoint }: Stretch, job: Job): boolean {
    const { step, maxUtterance } = this.#lengths;
    return endpoint || job.end === start + maxUtterance || job.end - job.start < step;
  }

  /** Ends the current segment: the next one begins at `position`. Returns its final. */
  #take(stretch: Stretch, position: number): Job {
    const { start, rest } = stretch;
    let final: Job | undefined;
    if (rest === undefined) final = this.#answers.expect({ kind: "final", start, end: position });
    else if (position < rest.end) [final, stretch.rest] = this.#answers.divide(rest, position);
    else [final, stretch.rest] = [rest, undefined];
    if (final === undefined) throw new Error(`pipeline: ${start}..${position} has been answered`);
    stretch.start = position;
    stretch.endpoint = false;
    stretch.interimAt = position + this.#lengths.interimEvery;
    return final;
  }

  #stepped(stretch: Stretch, job: Job, outcome: Exclude<Outcome, { status: "dropped" }>): PipelineEvent[] {
    if (outcome.status === "failed") {
      const isLost = losesState(outcome, this.#hasStream);
      this.#hasStream = false;
      return this.#fail(stretch, job.end, outcome, isLost);
    }
    const events: PipelineEvent[] = [];
    // The stream that had the steps before has ended with its worker. This one is the first of another.
    if (outcome.opened === true && job.start > stretch.start) {
      events.push(...this.#fail(stretch, job.start, STREAM_LOST, true));
    }
    this.#hasStream = true;
    stretch.endpoint = outcome.endpoint === true;
    if (job.end < stretch.interimAt || this.#isLast(stretch, job)) return events;
    const interim = this.#answers.interim({ kind: "interim", start: stretch.start, end: job.end }, outcome);
    if (interim === undefined) return events;
    stretch.interimAt = job.end + this.#lengths.interimEvery;
    events.push(interim);
    return events;
  }

  #finished(final: Job, outcome: Exclude<Outcome, { status: "dropped" }>): PipelineEvent[] {
    const isLost = outcome.status === "ok" ? outcome.opened === true : losesState(outcome, this.#hasStream);
    this.#hasStream = outcome.status === "ok" && !isLost;
    const answer = outcome.status === "ok" && isLost ? STREAM_LOST : outcome;
    return [...this.#answers.settle(final, answer), ...(isLost ? [warningEvent("state_lost")] : [])];
  }

  /** Answers the current segment up to `position` by an error; the next one begins there, with a new stream. */
  #fail(stretch: Stretch, position: number, outcome: Outcome, isLost: boolean): PipelineEvent[] {
    const events = this.#answers.settle(this.#take(stretch, position), outcome);
    return isLost ? [...events, warningEvent("state_lost")] : events;
  }
}

/** The current segment has speech that was not in the segments before. */
function hasSpeech({ speechEnd, start }: Stretch): boolean {
  return speechEnd > start;
}
