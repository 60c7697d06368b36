import type { Histogram } from "./histogram.ts";
import type { Count } from "./instruments.ts";

/** What the main thread can be busy with. */
export const ACTIVITIES = [
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
export type Activity = (typeof ACTIVITIES)[number];

/** A message of so many bytes is worth a look at the clock; of smaller ones, one in `SAMPLED` on average is measured. */
const LARGE_BYTES = 64 * 1024;
const SAMPLED = 16;
/** Doing one thing for longer is felt by everybody else. */
export const BLOCKED_MS = 50;

/** Where the times go. */
export interface ThreadSeries {
  readonly seconds: ReadonlyMap<Activity, Count>;
  /** Of the two stages on this thread. */
  readonly stages: Readonly<Record<"decode" | "vad", StageSeries>>;
}

export interface StageSeries {
  readonly processing: Count;
  readonly media: Count;
  readonly factor: Histogram;
}

/**
 * What the main thread spends its time on. Looking at the clock costs as much as a fiftieth of a message, so that of messages one in 16
 * is measured and counts for all of them; everything that is rare is measured always. What is inside of something else is not counted twice.
 */
export class MainThread {
  /** Told of everything that took too long. */
  onBlocked: (activity: Activity | "other", ms: number) => void = () => {};
  /** Audio decoded, seconds of streams: what cost is related to. */
  streamSeconds = 0;

  readonly #now: () => number;
  readonly #series: ThreadSeries;
  /** Of what is being measured: milliseconds by activity, and the audio it was spent on. */
  readonly #spent = new Map<Activity, number>();
  #media = 0;
  #activity: Activity | undefined;
  /** How many of its kind what is being measured stands for; 0: nothing is measured. */
  #weight = 0;
  #since = 0;
  #begun = 0;
  /** Small messages until the next that is measured. */
  #unmeasured = 0;

  /** @param now milliseconds, monotonic */
  constructor(series: ThreadSeries, now: () => number) {
    this.#series = series;
    this.#now = now;
  }

  /** What is being done, or was done last. */
  last: Activity | undefined;

  /** A message of audio has come: decides whether it is measured. Ends with `leave(undefined)`. */
  enterMessage(bytes: number): void {
    this.#activity = this.last = "receive";
    if (bytes >= LARGE_BYTES) this.#begin(1);
    else if (--this.#unmeasured < 0) {
      this.#unmeasured = Math.floor(Math.random() * (2 * SAMPLED - 1));
      this.#begin(SAMPLED);
    }
  }

  /** Something begins. Returns what it is inside of, for `leave`. */
  enter(activity: Activity): Activity | undefined {
    const outer = this.#activity;
    this.#activity = this.last = activity;
    if (outer === undefined) this.#begin(1);
    else if (this.#weight > 0) this.#charge(outer);
    return outer;
  }

  /** What was begun is done. @param outer what `enter` returned */
  leave(outer: Activity | undefined): void {
    const done = this.#activity;
    this.#activity = outer;
    if (this.#weight === 0 || done === undefined) return;
    this.#charge(done);
    if (outer === undefined) this.#end();
  }

  /** Audio has been decoded: seconds of one channel, and how many channels. */
  decoded(seconds: number, channels: number): void {
    this.streamSeconds += seconds;
    if (this.#weight > 0) this.#media += seconds * channels;
  }

  #begin(weight: number): void {
    this.#weight = weight;
    this.#spent.clear();
    this.#media = 0;
    this.#begun = this.#since = this.#now();
  }

  #charge(activity: Activity): void {
    const now = this.#now();
    this.#spent.set(activity, (this.#spent.get(activity) ?? 0) + now - this.#since);
    this.#since = now;
  }

  #end(): void {
    const weight = this.#weight;
    this.#weight = 0;
    let longest: [Activity, number] = ["receive", 0];
    for (const entry of this.#spent) {
      const [activity, ms] = entry;
      this.#series.seconds.get(activity)?.add((ms * weight) / 1000);
      if (ms > longest[1]) longest = entry;
    }
    if (this.#media > 0) {
      this.#stage("decode", weight);
      this.#stage("vad", weight);
    }
    const whole = this.#since - this.#begun;
    if (whole > BLOCKED_MS) this.onBlocked(longest[0], whole);
  }

  #stage(stage: "decode" | "vad", weight: number): void {
    const ms = this.#spent.get(stage);
    if (ms === undefined) return;
    const { processing, media, factor } = this.#series.stages[stage];
    processing.add((ms * weight) / 1000);
    media.add(this.#media * weight);
    factor.observe(ms / 1000 / this.#media);
  }
}
