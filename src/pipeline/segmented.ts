import type { Job, Outcome } from "../model/job.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { VadSettings } from "../protocol/requests.ts";
import type { Detector } from "../vad/detector.ts";
import { Endpointer, type Transition } from "../vad/endpointer.ts";
import { Answers } from "./answers.ts";
import { NOTHING, type Pipeline, type PipelineEvent, type PipelineOptions, type Step, type Tally } from "./pipeline.ts";

/**
 * Voice activity detection finds utterances; the model runs on those, and on what there is of one while it lasts, when interim
 * results are asked for.
 */
export class SegmentedPipeline implements Pipeline {
  readonly #sampleRate: number;
  readonly #vad: Detector;
  readonly #endpointer: Endpointer;
  readonly #answers: Answers;
  /** Samples between two interims; undefined: none were asked for. */
  readonly #interimEvery: number | undefined;
  /** Samples pushed. */
  #clock = 0;
  /** End of the last window decided. */
  #decided = 0;
  /** Where the next interim is due. */
  #interimAt = 0;
  #events: PipelineEvent[] = [];
  #jobs: Job[] = [];

  constructor(
    options: PipelineOptions & {
      readonly vad: Detector;
      readonly settings: VadSettings;
      readonly interimEvery?: number;
    },
  ) {
    this.#sampleRate = options.sampleRate;
    this.#vad = options.vad;
    this.#endpointer = new Endpointer(options.settings, options.sampleRate, options.vad.windowSamples);
    this.#answers = new Answers(options, { is_final: true });
    this.#interimEvery = options.interimEvery;
  }

  get tally(): Readonly<Tally> {
    return this.#answers.tally;
  }

  get needed(): number {
    return this.#answers.firstPending ?? this.#endpointer.needed;
  }

  get pending(): number {
    return this.#answers.pending;
  }

  push(samples: Float32Array, index: number, length: number): Step {
    this.#clock += length;
    this.#vad.push(samples, index, length, this.#decide);
    return this.#step();
  }

  /** Ends an open utterance here; windows and their decisions go on as if nothing had been. */
  flush(): Step {
    this.#endpointer.flush(this.#clock, this.#follow);
    this.#events.push(...this.#answers.mark({ type: "flushed", time: this.#clock / this.#sampleRate }));
    return this.#step();
  }

  end(): Step {
    this.#endpointer.end(this.#clock, this.#follow);
    this.#answers.silence(this.#clock);
    return this.#step();
  }

  resolved(job: Job, outcome: Outcome): Step {
    if (job.kind === "final") return { events: this.#answers.settle(job, outcome), jobs: [] };
    // An interim neither precedes an earlier utterance's final nor follows its own.
    const current = job.start === this.#endpointer.open && this.#answers.firstPending === undefined;
    const event = current ? this.#answers.interim(job, outcome) : undefined;
    return event === undefined ? NOTHING : { events: [event], jobs: [] };
  }

  abort(clock: number, code: ErrorCode, message: string): Step {
    // What no window has decided counts as unanswered too: nobody has looked whether it is silence.
    const open = this.#endpointer.open ?? Math.min(this.#decided, clock);
    return { events: this.#answers.abort(open, clock, code, message), jobs: [] };
  }

  [Symbol.dispose](): void {
    this.#vad[Symbol.dispose]();
  }

  readonly #decide = (speech: boolean, levelDb: number): void => {
    this.#decided += this.#vad.windowSamples;
    this.#endpointer.decide(speech, levelDb, this.#follow);
    const start = this.#endpointer.open;
    if (start === undefined || this.#interimEvery === undefined || this.#decided < this.#interimAt) return;
    this.#interimAt = this.#decided + this.#interimEvery;
    this.#jobs.push({ kind: "interim", start, end: this.#decided });
  };

  readonly #follow = (transition: Transition): void => {
    if (transition.type === "utterance") {
      this.#jobs.push(this.#answers.expect({ kind: "final", start: transition.start, end: transition.end }));
    } else {
      this.#events.push({ type: transition.type, time: transition.position / this.#sampleRate });
      if (transition.type === "active") this.#interimAt = this.#decided + (this.#interimEvery ?? 0);
    }
  };

  #step(): Step {
    if (this.#events.length === 0 && this.#jobs.length === 0) return NOTHING;
    const step: Step = { events: this.#events, jobs: this.#jobs };
    this.#events = [];
    this.#jobs = [];
    return step;
  }
}
