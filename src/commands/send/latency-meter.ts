import type { ErrorEvent, Inactive, Segment } from "../../protocol/events.ts";
import { SendTimes } from "./send-times.ts";

/** Audio that is further ahead of the clock than this was not spoken when it was sent. */
const MAX_AHEAD_SECONDS = 1;
/** Latencies kept for the percentiles: the latest ones. */
const MAX_LATENCIES = 65_536;

/** Latencies in milliseconds, and the number of utterances that they are from. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/**
 * Measures the latency of final results: from sending the sample at the end of speech to receiving the result. That
 * means something only if audio is sent as it is spoken; otherwise, most of the time passes in a queue.
 */
export class LatencyMeter {
  readonly #sampleRate: number;
  /** When each frame was sent. */
  readonly #sendTimes: SendTimes;
  /** Ends of speech whose final result has not arrived, by channel, in seconds of audio. */
  readonly #speechEnds = new Map<number, number[]>();
  readonly #latencies: number[] = [];
  #isLive: boolean;
  /** Position and time of the end of the first audio sent. */
  #first: { readonly end: number; readonly now: number } | undefined;

  /** `sampleRate` of the audio sent, in Hz. `isLive`: false if the audio is known not to be sent as it is spoken. */
  constructor(sampleRate: number, isLive: boolean) {
    this.#sampleRate = sampleRate;
    this.#sendTimes = new SendTimes(sampleRate);
    this.#isLive = isLive;
  }

  /** True as long as no audio was sent before it can have been spoken. */
  get isLive(): boolean {
    return this.#isLive;
  }

  /** Notes that the frames up to position `end` were sent at `now`. All times are milliseconds on one clock. */
  sent(end: number, now: number): void {
    this.#sendTimes.add(end, now);
    this.#first ??= { end, now };
    const ahead = (end - this.#first.end) / this.#sampleRate - (now - this.#first.now) / 1000;
    if (ahead > MAX_AHEAD_SECONDS) this.#isLive = false;
  }

  speechEnded({ channel, time }: Inactive): void {
    const ends = this.#speechEnds.get(channel);
    if (ends === undefined) this.#speechEnds.set(channel, [time]);
    else ends.push(time);
  }

  /** Takes an error, which stands in place of the final results up to its end. */
  failed({ channel, end_time: end }: ErrorEvent): void {
    const ends = channel === undefined ? undefined : this.#speechEnds.get(channel);
    if (end === undefined || ends === undefined) return;
    while (ends[0] !== undefined && ends[0] <= end) ends.shift();
  }

  /**
   * Takes a final result received at `now`. Returns its latency in milliseconds, or undefined if no speech ended in it
   * or the audio is not live.
   */
  finalReceived({ channel, start_time: start, end_time: end }: Segment, now: number): number | undefined {
    const ends = this.#speechEnds.get(channel);
    if (ends === undefined) return undefined;
    while (ends[0] !== undefined && ends[0] < start) ends.shift();
    const speechEnd = ends[0];
    if (speechEnd === undefined || speechEnd > end) return undefined;
    ends.shift();
    const sentMs = this.#sendTimes.timeOf(Math.round(speechEnd * this.#sampleRate));
    if (sentMs === undefined || !this.#isLive) return undefined;
    if (this.#latencies.length === MAX_LATENCIES) this.#latencies.shift();
    this.#latencies.push(now - sentMs);
    return now - sentMs;
  }

  /** Returns nearest-rank percentiles; undefined if there was no latency to measure, or the audio is not live. */
  summary(): LatencySummary | undefined {
    if (this.#latencies.length === 0 || !this.#isLive) return undefined;
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const percentile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    return { count: sorted.length, p50: percentile(0.5), p95: percentile(0.95), max: percentile(1) };
  }
}
