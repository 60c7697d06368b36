import type { Job, Outcome } from "../model/job.ts";
import type { DecidedWindows } from "../native/chain.ts";
import type { Samples } from "../native/samples.ts";
import type { EnergyVad } from "../native/vad.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { VadSettings } from "../protocol/vad-settings.ts";
import type { Detector } from "../vad/detector.ts";
import { DETECTORS } from "../vad/detectors.ts";
import { Endpointer, longestBeginningMs, type Transition } from "../vad/endpointer.ts";
import { QuietSpeech } from "../vad/quiet-speech.ts";
import type { Answers } from "./answers.ts";
import { effectiveVad, startedVad } from "./effective-vad.ts";
import type { Pattern } from "./pattern.ts";
import { NOTHING, type Pipeline, type PipelineEvent, type Step, type Suspicion } from "./pipeline.ts";
import { InvalidState } from "./saved-state.ts";
import { readSegmentedState, type SegmentedState } from "./segmented-state.ts";

/** The `vad` section of the configuration: what a client may set, and the detector. */
interface SegmentedSettings extends VadSettings {
  readonly detector: string;
}

/**
 * Voice activity detection finds utterances, and the model runs on those. With interim results it also runs on the part
 * of an utterance that has been spoken so far.
 */
export const segmented: Pattern = {
  name: "segmented",
  description: "Voice activity detection finds utterances, and the model runs on those.",
  keepsState: false,
  usesVad: true,
  section: "vad",
  prepare(start, { detector: name, ...defaults }: SegmentedSettings, { sampleRate, maxHoldMs }) {
    const detector = DETECTORS[name];
    if (detector === undefined) throw new Error(`no detector is called ${name}`);
    const vad = effectiveVad(start, defaults, detector);
    const utteranceMs = vad.pre_roll_ms + Math.max(vad.max_utterance_ms, longestBeginningMs(vad, detector.windowMs));
    // The window that ends an utterance is decided when all of it is there.
    const holdsMs = utteranceMs + detector.windowMs;
    if (holdsMs > maxHoldMs) {
      const message =
        `vad.max_utterance_ms: found ${vad.max_utterance_ms}; allowed: with vad.pre_roll_ms ${vad.pre_roll_ms} ` +
        `and a window of the detector at most ${maxHoldMs}, which one channel may hold`;
      throw new ProtocolError("invalid_request", message, { param: "vad.max_utterance_ms" });
    }
    const interimEvery = start.interim_results
      ? Math.max(1, Math.round((start.interim_interval_ms * sampleRate) / 1000))
      : Infinity;
    return {
      holdsMs,
      started: { vad: startedVad(vad, detector), interim_interval_ms: start.interim_interval_ms },
      finalFields: { is_final: true },
      create: (answers, saved) => {
        const instance = detector.create(sampleRate, vad);
        const endpointer = new Endpointer(vad, sampleRate, instance.windowSamples);
        const quiet = detector.usesFloor ? new QuietSpeech(vad, detector.windowMs) : undefined;
        const pipeline = new SegmentedPipeline(answers, instance, endpointer, interimEvery, quiet);
        try {
          if (saved !== undefined) pipeline.restore(readSegmentedState(saved.state, instance.windowSamples));
        } catch (error) {
          pipeline[Symbol.dispose]();
          throw error;
        }
        return pipeline;
      },
    };
  },
};

export class SegmentedPipeline implements Pipeline {
  readonly #answers: Answers;
  readonly #detector: Detector;
  readonly #endpointer: Endpointer;
  readonly #interimEvery: number;
  /** Looks for speech that the detector does not find; undefined: nothing is looked for any more. */
  #quiet: QuietSpeech | undefined;
  /** Samples pushed. */
  #position = 0;
  /** End of the last window decided. */
  #decided = 0;
  /** Position at which the next interim is due. */
  #interimAt = 0;
  #suspicion: Suspicion | undefined;
  #events: PipelineEvent[] = [];
  #jobs: Job[] = [];

  /** @param interimEvery samples between two interims; Infinity: none were asked for */
  constructor(answers: Answers, detector: Detector, endpointer: Endpointer, interimEvery: number, quiet?: QuietSpeech) {
    this.#answers = answers;
    this.#detector = detector;
    this.#endpointer = endpointer;
    this.#interimEvery = interimEvery;
    this.#quiet = quiet;
  }

  /** Windows count from the start of the stream, so at their borders the detector holds no samples. */
  get grid(): number {
    return this.#detector.windowSamples;
  }

  get needed(): number {
    return this.#endpointer.needed;
  }

  /** Audio that no window has decided counts too: it may be speech. */
  get undecided(): number {
    return this.#endpointer.open ?? this.#decided;
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
    if (job.kind === "final") return { events: this.#answers.settle(job, outcome), jobs: [] };
    // An interim neither precedes an earlier utterance's final nor follows its own.
    const current = job.start === this.#endpointer.open && this.#answers.firstPending === undefined;
    const event = current ? this.#answers.interim(job, outcome) : undefined;
    return event === undefined ? NOTHING : { events: [event], jobs: [] };
  }

  save(): SegmentedState {
    return {
      position: this.#position,
      decided: this.#decided,
      interimAt: this.#interimAt,
      endpointer: this.#endpointer.save(),
      quiet: this.#quiet?.save(),
    };
  }

  /** Goes on from a saved state. To be called first. Throws InvalidState. */
  restore(state: SegmentedState): void {
    this.#position = state.position;
    this.#decided = state.decided;
    this.#interimAt = state.interimAt;
    this.#endpointer.restore(state.endpointer);
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
    const start = this.#endpointer.open;
    if (start === undefined || this.#decided < this.#interimAt) return;
    this.#interimAt = this.#decided + this.#interimEvery;
    // The stream that this one goes on from has answered the utterance.
    if (start < this.#answers.covered) return;
    this.#jobs.push({ kind: "interim", start, end: this.#decided });
  };

  readonly #apply = (transition: Transition): void => {
    if (transition.type === "utterance") {
      const job = this.#answers.expect({ kind: "final", start: transition.start, end: transition.end });
      if (job !== undefined) this.#jobs.push(job);
    } else {
      this.#events.push({ type: transition.type, time: transition.position / this.#answers.sampleRate });
      if (transition.type === "active") this.#interimAt = this.#decided + this.#interimEvery;
    }
  };

  #lookForQuietSpeech(quiet: QuietSpeech, speech: boolean, levelDb: number): void {
    this.#suspect(quiet.push(speech, levelDb));
    if (quiet.done) this.#quiet = undefined;
  }

  #suspect(message: string | undefined): void {
    if (message !== undefined) this.#suspicion = { code: "too_quiet", message, position: this.#decided };
  }

  #takeStep(): Step {
    if (this.#events.length === 0 && this.#jobs.length === 0) return NOTHING;
    const step: Step = { events: this.#events, jobs: this.#jobs };
    this.#events = [];
    this.#jobs = [];
    return step;
  }
}
