import type { Job, Outcome } from "../../src/model/job.ts";
import type { AnswerEventsOptions } from "../../src/pipeline/answer-events.ts";
import { Answers } from "../../src/pipeline/answers.ts";
import type { Pattern } from "../../src/pipeline/pattern.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { PinnedUtterances } from "../../src/pipeline/pinned-utterances.ts";
import type { Pipeline, PipelineEvent, Step } from "../../src/pipeline/pipeline.ts";
import { SegmentedPipeline } from "../../src/pipeline/segmented-pipeline.ts";
import { WholeUtterances } from "../../src/pipeline/whole-utterances.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import { VAD_DEFAULTS, type VadSettings } from "../../src/protocol/vad-settings.ts";
import type { Detector } from "../../src/vad/detector.ts";
import { Endpointer } from "../../src/vad/endpointer.ts";
import { shortSection } from "./pattern-settings.ts";

/** At this rate a sample is a millisecond. */
export const RATE = 1000;
export const WINDOW = 10;

export const VAD_SETTINGS: VadSettings = {
  ...VAD_DEFAULTS,
  min_speech_ms: 20,
  min_silence_ms: 60,
  pre_roll_ms: 25,
  post_roll_ms: 35,
  max_utterance_ms: 1000,
};

/** A window is speech when it holds a sample of 0.5 or more; its level is the largest sample. */
export class PlainVad implements Detector {
  readonly windowSamples = WINDOW;
  #filled = 0;
  #peak = 0;

  push(samples: Float32Array, index: number, length: number, decide: (speech: boolean, levelDb: number) => void): void {
    for (let i = index; i < index + length; i++) {
      this.#peak = Math.max(this.#peak, samples[i] ?? Number.NaN);
      this.#filled += 1;
      if (this.#filled < WINDOW) continue;
      decide(this.#peak >= 0.5, this.#peak);
      this.#filled = 0;
      this.#peak = 0;
    }
  }

  [Symbol.dispose](): void {}
}

/** How to build a pipeline, and the options of the answers that it is built on. */
export interface PipelineSetup {
  readonly make: (answers: Answers) => Pipeline;
  readonly options?: Partial<AnswerEventsOptions>;
  /** Samples that the pipeline keeps before it makes a job of them, at most. */
  readonly holds?: number;
}

/** A setup of each pattern, by name. Detectors need a higher rate than RATE, so `segmented` gets a plain one. */
export const SETUPS: Readonly<Record<string, (interimEvery?: number) => PipelineSetup>> = {
  ...Object.fromEntries(
    Object.values(PATTERNS)
      .filter(({ usesVad }) => !usesVad)
      .map((pattern) => [pattern.name, (interimEvery?: number) => preparedSetup(pattern, interimEvery)]),
  ),
  segmented: (interimEvery) => segmentedSetup({ interimEvery }),
};

/** What the pattern itself prepares. A sample of RATE is a millisecond, so its settings count samples. */
function preparedSetup(pattern: Pattern, interimEvery: number | undefined): PipelineSetup {
  const start = { interim_results: interimEvery !== undefined, interim_interval_ms: interimEvery ?? 500 };
  const context = { sampleRate: RATE, keepsState: pattern.keepsState, maxHoldMs: Infinity };
  const { create, finalFields, holdsMs } = pattern.prepare(start, shortSection(pattern), context);
  return { make: create, options: { finalFields }, holds: holdsMs };
}

export function segmentedSetup(
  options: { settings?: Partial<VadSettings>; interimEvery?: number | undefined; lagMs?: () => number } = {},
): PipelineSetup {
  const settings = { ...VAD_SETTINGS, ...options.settings };
  return {
    make: (answers) => {
      const endpointer = new Endpointer(settings, RATE, WINDOW);
      const utterances = new WholeUtterances(answers, endpointer, options.interimEvery ?? Infinity);
      return new SegmentedPipeline(answers, new PlainVad(), endpointer, utterances);
    },
    options: { finalFields: { is_final: true }, ...(options.lagMs && { lagMs: options.lagMs }) },
    holds: settings.pre_roll_ms + settings.max_utterance_ms + WINDOW,
  };
}

export interface PinnedOptions {
  readonly settings?: Partial<VadSettings>;
  readonly interimEvery?: number | undefined;
  readonly step?: number;
}

/** `segmented` with a pinned model, whose steps are of 30 samples by default. */
export function pinnedSetup({ settings, interimEvery = Infinity, step = 30 }: PinnedOptions = {}): PipelineSetup {
  const { max_utterance_ms: maxUtterance, ...vad } = { ...VAD_SETTINGS, ...settings };
  return {
    make: (answers) => {
      const endpointer = new Endpointer({ ...vad, max_utterance_ms: Infinity }, RATE, WINDOW);
      const lengths = { step, postRoll: vad.post_roll_ms, maxUtterance, interimEvery };
      return new SegmentedPipeline(
        answers,
        new PlainVad(),
        endpointer,
        new PinnedUtterances(answers, endpointer, lengths),
      );
    },
    options: { finalFields: { is_final: true } },
    holds: Math.max(vad.pre_roll_ms + 100, vad.min_silence_ms + step) + WINDOW,
  };
}

/** The model's answer to a job; which of them fail depends on where they are and on nothing else. */
export function outcomeOf(job: Job, failEvery = 0): Outcome {
  const times = { queueMs: 0, inferMs: 0 };
  if (failEvery > 0 && job.kind === "final" && (job.start * 7 + job.end) % failEvery === 0) {
    return { status: "failed", code: "inference_failed", message: "the model said no", thrown: true, ...times };
  }
  const output = { count: job.end - job.start };
  return { status: "ok", output, state: job.end, ...times, worker: 0, batchSize: 1 };
}

/** A pipeline with the answers of its channel; keeps its jobs until they are answered, and its events. */
export class PipelineRun {
  readonly answers: Answers;
  readonly pipeline: Pipeline;
  readonly events: PipelineEvent[] = [];
  /** Jobs without an answer. */
  readonly jobs: Job[] = [];
  position = 0;

  constructor({ make, options = {} }: PipelineSetup) {
    this.answers = new Answers({ sampleRate: RATE, ...options });
    this.pipeline = make(this.answers);
  }

  /** Samples before it are needed neither by the pipeline nor by a final without an answer. */
  get needed(): number {
    return this.pipeline.held ?? this.answers.firstPending ?? this.pipeline.needed;
  }

  abort(end: number, code: ErrorCode, message: string): this {
    return this.take({ events: this.answers.abort(this.pipeline.undecided, end, code, message), jobs: [] });
  }

  take(step: Step): this {
    this.events.push(...step.events);
    this.jobs.push(...step.jobs);
    return this;
  }

  push(samples: Float32Array | readonly number[]): this {
    const array = Float32Array.from(samples);
    this.position += array.length;
    return this.take(this.pipeline.push(array, 0, array.length));
  }

  /** Windows: `#` is speech, `.` silence. */
  hear(windows: string): this {
    return this.push([...windows].flatMap((window) => new Array<number>(WINDOW).fill(window === "#" ? 1 : 0)));
  }

  /** As a channel does at a request of the client. */
  flush(): this {
    this.take(this.pipeline.flush());
    return this.take({ events: this.answers.flushed(this.position), jobs: [] });
  }

  end(): this {
    return this.take(this.pipeline.end());
  }

  /** Answers a waiting job. */
  answer(index: number, outcome?: Outcome): this {
    const [job] = this.jobs.splice(index, 1);
    if (job === undefined) throw new Error(`no job ${index} waits`);
    return this.take(this.pipeline.resolved(job, outcome ?? outcomeOf(job)));
  }

  answerAll(): this {
    while (this.jobs.length > 0) this.answer(0);
    return this;
  }

  /** Short texts of the events since the last time: "segment 0 70", "error 70 140", "flushed 140". */
  said(): string[] {
    return this.events.splice(0).map(short);
  }

  /** Short texts of the jobs that wait. */
  get waiting(): string[] {
    return this.jobs.map(({ kind, step, start, end }) => `${step ?? kind} ${start} ${end}`);
  }
}

export function short(event: PipelineEvent): string {
  const samples = (seconds: number | undefined): number => Math.round((seconds ?? Number.NaN) * RATE);
  switch (event.type) {
    case "segment":
    case "error": {
      const kind = event.type === "segment" && event.is_final === false ? "interim" : event.type;
      return `${kind} ${samples(event.start_time)} ${samples(event.end_time)}`;
    }
    default:
      return "time" in event ? `${event.type} ${samples(Number(event.time))}` : event.type;
  }
}
