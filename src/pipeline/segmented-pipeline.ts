import type { Job, Outcome } from "../model/job.ts";
import type { DecidedWindows } from "../native/chain.ts";
import type { Samples } from "../native/samples.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { Detector } from "../vad/detector.ts";
import type { Endpointer, Transition } from "../vad/endpointer.ts";
import type { QuietSpeech } from "../vad/quiet-speech.ts";
import type { Answers } from "./answers.ts";
import { NOTHING, type Pipeline, type PipelineEvent, type Step, type Suspicion } from "./pipeline.ts";
import { InvalidState } from "./saved-state.ts";
import type { SegmentedState } from "./segmented-state.ts";
import type { Utterances } from "./utterances.ts";

/** Finds the utterances of one channel; `utterances` calls the model for them. */
export class SegmentedPipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #detector: Detector;
  readonly #endpointer: Endpointer;
  readonly #utterances: Utterances;
  /** Looks for speech that the detector does not find; undefined: nothing is looked for any more. */
  #quiet: QuietSpeech | undefined;
  /** Samples pushed. */
  #position = 0;
  /** End of the last window decided. */
  #decided = 0;
  #suspicion: Suspicion | undefined;
  #events: PipelineEvent[] = [];
  #jobs: Job[] = [];

  /** @param utterances of the same answers and endpointer */
  constructor(
    answers: Answers,
    detector: Detector,
    endpointer: Endpointer,
    utterances: Utterances,
    quiet?: QuietSpeech,
  ) {
    this.#answers = answers;
    this.#detector = detector;
    this.#endpointer = endpointer;
    this.#utterances = utterances;
    this.#quiet = quiet;
  }

  /** Windows count from the start of the stream, so at their borders the detector holds no samples. */
  get grid(): number {
    return this.#detector.windowSamples;
  }

  get needed(): number {
    return this.#utterances.needed;
  }

  get held(): number | undefined {
    return this.#utterances.held;
  }

  get unanswered(): number | undefined {
    return this.#utterances.unanswered;
  }

  get busy(): boolean {
    return this.#utterances.busy === true;
  }

  /** Audio that no window has decided counts too: it may be speech. */
  get undecided(): number {
    return this.#utterances.open ?? this.#decided;
  }

  get suspicion(): Suspicion | undefined {
    return this.#suspicion;
  }

  get detector(): EnergyVad | undefined {
    return this.#detector.native;
  }

  push(samples: Samples, index: number, length: number, windows?: DecidedWindows): Step {
    this.#position += length;
    if (windows === undefined) this.#detector.push(samples, index, length, this.#decide);
    else
      for (let i = windows.first; i < windows.end; i++) this.#decide(windows.speech[i] === 1, windows.levels[i] ?? 0);
    return this.#takeStep();
  }

  /** Ends an open utterance here. Windows and their decisions go on as if nothing had been. */
  flush(): Step {
    this.#endpointer.flush(this.#position, this.#apply);
    return this.#takeStep();
  }

  end(): Step {
    this.#suspect(this.#quiet?.end());
    this.#endpointer.end(this.#position, this.#apply);
    this.#answers.silence(this.#position);
    return this.#takeStep();
  }

  resolved(job: Job, outcome: Outcome): Step {
    return this.#utterances.resolved(job, outcome);
  }

  save(): SegmentedState {
    return {
      position: this.#position,
      decided: this.#decided,
      interimAt: this.#utterances.interimAt,
      endpointer: this.#endpointer.save(),
      quiet: this.#quiet?.save(),
    };
  }

  /** Goes on from a saved state. To be called first. Throws InvalidState. */
  restore(state: SegmentedState): void {
    this.#position = state.position;
    this.#decided = state.decided;
    this.#endpointer.restore(state.endpointer);
    this.#utterances.restore(state.interimAt);
    if (state.quiet === undefined) this.#quiet = undefined;
    else if (this.#quiet?.restore(state.quiet) !== true) throw new InvalidState("a saved state has other levels");
  }

  [Symbol.dispose](): void {
    this.#detector[Symbol.dispose]();
  }

  readonly #decide = (speech: boolean, levelDb: number): void => {
    this.#decided += this.#detector.windowSamples;
    if (this.#quiet !== undefined) this.#lookForQuietSpeech(this.#quiet, speech, levelDb);
    this.#endpointer.decide(speech, levelDb, this.#apply);
    this.#add(this.#utterances.decided(this.#decided));
  };

  readonly #apply = (transition: Transition): void => {
    if (transition.type === "utterance") {
      this.#add(this.#utterances.ended(transition.start, transition.end, this.#decided));
    } else {
      this.#events.push({ type: transition.type, time: transition.position / this.#answers.sampleRate });
      if (transition.type === "active") this.#utterances.begun(this.#decided);
    }
  };

  #lookForQuietSpeech(quiet: QuietSpeech, speech: boolean, levelDb: number): void {
    this.#suspect(quiet.push(speech, levelDb));
    if (quiet.done) this.#quiet = undefined;
  }

  #suspect(message: string | undefined): void {
    if (message !== undefined) this.#suspicion = { code: "too_quiet", message, position: this.#decided };
  }

  #add(step: Step): void {
    if (step === NOTHING) return;
    this.#events.push(...step.events);
    this.#jobs.push(...step.jobs);
  }

  #takeStep(): Step {
    if (this.#events.length === 0 && this.#jobs.length === 0) return NOTHING;
    const step: Step = { events: this.#events, jobs: this.#jobs };
    this.#events = [];
    this.#jobs = [];
    return step;
  }
}
