import type { ErrorEvent, Inactive, Segment } from "../../protocol/events.ts";

/** Longest block that a server is taken to wait for before its first result, in seconds. */
const FIRST_BLOCK_SECONDS = 5;

/**
 * Tells whether the server owes results of audio that it has: of utterances that have ended or, where there are no
 * utterances, of audio that is longer than the blocks seen so far.
 */
export class OwedResults {
  readonly #channels: number;
  /** True on the pattern that has utterances. */
  readonly #hasUtterances: boolean;
  /** Ends of the latest result, and of the speech that came last, by channel, in seconds. */
  readonly #answered = new Map<number, number>();
  readonly #speechEnds = new Map<number, number>();
  #blockSeconds = 0;

  constructor(channels: number, hasUtterances: boolean) {
    this.#channels = channels;
    this.#hasUtterances = hasUtterances;
  }

  speechEnded({ channel, time }: Inactive): void {
    this.#speechEnds.set(channel, time);
  }

  /** Takes a final result, or the error in its place. */
  answered({ channel, start_time: start, end_time: end }: Segment | ErrorEvent): void {
    if (channel === undefined || start === undefined || end === undefined) return;
    this.#answered.set(channel, Math.max(end, this.#answered.get(channel) ?? 0));
    this.#blockSeconds = Math.max(this.#blockSeconds, end - start);
  }

  /** @param sentSeconds length of the audio sent */
  owes(sentSeconds: number): boolean {
    if (this.#hasUtterances) {
      return [...this.#speechEnds].some(([channel, end]) => end > (this.#answered.get(channel) ?? 0));
    }
    const longest = this.#blockSeconds === 0 ? FIRST_BLOCK_SECONDS : this.#blockSeconds;
    for (let channel = 0; channel < this.#channels; channel++) {
      if (sentSeconds - (this.#answered.get(channel) ?? 0) > longest) return true;
    }
    return false;
  }
}
