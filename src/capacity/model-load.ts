import { StandingWait } from "./standing-wait.ts";

/** Milliseconds of a warm-up that say nothing about the model: code is compiled. */
const WARM_UP_SLACK_MS = 10;

/** A loaded model, as far as its load can be told before it is used. */
export interface ModelSize {
  readonly workers: number;
  /** Duration of the warm-up, which is about one call. */
  readonly warmUpMs: number;
}

/** The load of one model's workers. */
export class ModelLoad {
  readonly workers: number;
  /** Expected duration of a call until some have been measured, in seconds. */
  readonly expectedCallS: number;
  readonly wait: StandingWait;

  constructor({ workers, warmUpMs }: ModelSize) {
    this.workers = workers;
    this.expectedCallS = Math.max(0, warmUpMs - WARM_UP_SLACK_MS) / 1000;
    this.wait = new StandingWait(workers);
  }
}
