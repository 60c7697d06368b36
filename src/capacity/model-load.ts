import { StandingWait } from "./standing-wait.ts";

/** Milliseconds of a warm-up that say nothing about the model: code is compiled. */
const WARM_UP_SLACK_MS = 10;

/** Streams for each worker that begin before any call has been measured, when the warm-up says little. */
const UNMEASURED_STREAMS = 8;

/** A loaded model, as far as its load can be told before it is used. */
export interface ModelSize {
  readonly workers: number;
  /** Duration of the warm-up. */
  readonly warmUpMs: number;
  /** It was a call. A model's own warm-up may take much longer than its calls. */
  readonly warmedByCall: boolean;
  /** Of a pinned model: channels that the workers have, and may have at most. */
  readonly places?: (() => StreamPlaces | undefined) | undefined;
}

/** Channels of a model whose streams stay in their workers. */
export interface StreamPlaces {
  readonly open: number;
  readonly allowed: number;
}

/** The load of one model's workers. */
export class ModelLoad {
  readonly workers: number;
  /** Expected duration of a call until some have been measured, in seconds. */
  readonly expectedCallS: number;
  /** Streams that begin, for each worker, whatever their calls are expected to take. */
  readonly leastStreams: number;
  readonly wait: StandingWait;
  readonly #places: ModelSize["places"];

  constructor({ workers, warmUpMs, warmedByCall, places }: ModelSize) {
    this.workers = workers;
    this.expectedCallS = Math.max(0, warmUpMs - WARM_UP_SLACK_MS) / 1000;
    this.leastStreams = warmedByCall ? 1 : UNMEASURED_STREAMS;
    this.wait = new StandingWait(workers);
    this.#places = places;
  }

  /**
   * Share of the workers that is used: of their permitted time, or of their places for channels.
   * @param offered seconds of workers in a second @param load permitted share of their time
   */
  shareUsed(offered: number, load: number): number {
    const { open, allowed } = this.places ?? { open: 0, allowed: 1 };
    return Math.max(offered / (this.workers * load), open / Math.max(1, allowed));
  }

  /** Streams stay in their workers. */
  get isPinned(): boolean {
    return this.#places !== undefined;
  }

  /** Undefined: any number of channels may be open. */
  get places(): StreamPlaces | undefined {
    return this.#places?.();
  }
}
