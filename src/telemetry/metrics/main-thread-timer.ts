import type { AudioStage, StageInstruments } from "./families/stages.ts";
import type { Counter } from "./instruments.ts";
import type { TurnMeter } from "./turn-meter.ts";

/**
 * Stages of the main thread's work: `receive` handles an audio message, `request` a text message, `cut` a pipeline
 * without voice activity detection, `result` the outcome of a job, `sweep` deadlines, `collect` garbage collection.
 */
export const MAIN_THREAD_STAGES = [
  "receive",
  "request",
  "decode",
  "vad",
  "cut",
  "result",
  "send",
  "http",
  "sweep",
  "collect",
  "scrape",
] as const;
export type MainThreadStage = (typeof MAIN_THREAD_STAGES)[number];

/** Stages that run on the main thread and process audio, so that they have a real-time factor. */
type MainThreadAudioStage = Exclude<AudioStage, "inference">;

/** Messages of at least this size are always measured. */
const LARGE_BYTES = 64 * 1024;
/** Of smaller messages, one in `SAMPLING` on average is measured and counts for all of them. */
const SAMPLING = 16;

export interface MainThreadInstruments {
  readonly seconds: ReadonlyMap<MainThreadStage, Counter>;
  readonly audioStages: Readonly<Record<MainThreadAudioStage, StageInstruments>>;
}

/**
 * Profile of the main thread: time by stage. Reading the clock costs about 2 % of handling a message, so only a sample
 * of the messages is measured; rarer work is always measured. Stages nest, and time counts for the innermost stage
 * only.
 */
export class MainThreadTimer {
  /** Learns what each turn of the event loop consists of. Undefined: turns are not measured. */
  turns: Pick<TurnMeter, "work" | "spent"> | undefined;
  /** Decoded audio in seconds, each stream counted once whatever its number of channels. */
  decodedSeconds = 0;

  readonly #now: () => number;
  readonly #instruments: MainThreadInstruments;
  #stage: MainThreadStage | undefined;
  /** Number of messages that the current measurement stands for; 0 when nothing is being measured. */
  #weight = 0;
  /** Milliseconds by stage of the current measurement. */
  readonly #elapsed = new Map<MainThreadStage, number>();
  /** Audio seconds of all channels decoded during the current measurement. */
  #media = 0;
  #stageFrom = 0;
  /** Small messages to skip before the next measured one. */
  #skip = 0;

  /** @param now milliseconds, monotonic */
  constructor(instruments: MainThreadInstruments, now: () => number) {
    this.#instruments = instruments;
    this.#now = now;
  }

  /** Enters `receive` for an audio message, which may be skipped by sampling. Call `leave(undefined)` afterwards. */
  enterMessage(bytes: number): void {
    this.#stage = "receive";
    this.turns?.work("receive");
    if (bytes >= LARGE_BYTES) this.#begin(1);
    else if (--this.#skip < 0) {
      this.#skip = Math.floor(Math.random() * (2 * SAMPLING - 1));
      this.#begin(SAMPLING);
    }
  }

  /** Enters a stage. Returns the enclosing stage, which `leave` takes. */
  enter(stage: MainThreadStage): MainThreadStage | undefined {
    const outer = this.#stage;
    this.#stage = stage;
    if (outer === undefined) {
      this.turns?.work(stage);
      this.#begin(1);
    } else if (this.#weight > 0) this.#charge(outer);
    return outer;
  }

  /** Leaves the current stage. @param outer the return value of `enter` */
  leave(outer: MainThreadStage | undefined): void {
    const left = this.#stage;
    this.#stage = outer;
    if (this.#weight === 0 || left === undefined) return;
    this.#charge(left);
    if (outer === undefined) this.#end();
  }

  /** Runs synchronous work as a stage. */
  during<Value>(stage: MainThreadStage, work: () => Value): Value {
    const outer = this.enter(stage);
    try {
      return work();
    } finally {
      this.leave(outer);
    }
  }

  /** Counts decoded audio. @param seconds of one channel */
  decoded(seconds: number, channels: number): void {
    this.decodedSeconds += seconds;
    if (this.#weight > 0) this.#media += seconds * channels;
  }

  #begin(weight: number): void {
    this.#weight = weight;
    this.#elapsed.clear();
    this.#media = 0;
    this.#stageFrom = this.#now();
  }

  #charge(stage: MainThreadStage): void {
    const now = this.#now();
    this.#elapsed.set(stage, (this.#elapsed.get(stage) ?? 0) + now - this.#stageFrom);
    this.#stageFrom = now;
  }

  #end(): void {
    const weight = this.#weight;
    this.#weight = 0;
    for (const [stage, ms] of this.#elapsed) {
      this.#instruments.seconds.get(stage)?.add((ms * weight) / 1000);
      this.turns?.spent(stage, ms * weight);
    }
    if (this.#media > 0) {
      this.#countAudioStage("decode", weight);
      this.#countAudioStage("vad", weight);
    }
  }

  #countAudioStage(stage: MainThreadAudioStage, weight: number): void {
    const ms = this.#elapsed.get(stage);
    if (ms === undefined) return;
    const { processingSeconds, mediaSeconds, realTimeFactor } = this.#instruments.audioStages[stage];
    processingSeconds.add((ms * weight) / 1000);
    mediaSeconds.add(this.#media * weight);
    realTimeFactor.observe(ms / 1000 / this.#media);
  }
}
