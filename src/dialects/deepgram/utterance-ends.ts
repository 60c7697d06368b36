/** Most ends of speech of one channel that are remembered: a model may return nothing for hours. */
const MAX_ENDS = 1_024;

/** An end of speech. Times are seconds. */
interface End {
  readonly time: number;
  /** The silence has lasted long enough. */
  passed: boolean;
  /** End of the last word of its utterance; undefined: the result has not come. */
  lastWordEnd: number | undefined;
}

/** An end of an utterance that is due. */
export interface DueEnd {
  readonly channel: number;
  readonly lastWordEnd: number;
}

/**
 * Reports the ends of utterances: when enough audio without speech has followed, and not before the result, for which
 * the sample clock does not wait.
 */
export class UtteranceEnds {
  readonly #seconds: number;
  readonly #channels = new Map<number, End[]>();

  /** @param milliseconds of audio without speech after which an utterance is over */
  constructor(milliseconds: number) {
    this.#seconds = milliseconds / 1000;
  }

  /** Speech has ended. */
  ended(channel: number, time: number): void {
    const ends = this.#channels.get(channel) ?? [];
    ends.push({ time, passed: false, lastWordEnd: undefined });
    if (ends.length > MAX_ENDS) ends.shift();
    this.#channels.set(channel, ends);
  }

  /**
   * Speech goes on: an end that is not yet certain was none, unless so much of the audio came at once that nobody has
   * looked in between. Returns the end that is due then.
   */
  resumed(channel: number, time: number): DueEnd[] {
    const ends = this.#channels.get(channel);
    const last = ends?.at(-1);
    if (ends === undefined || last === undefined || last.passed) return [];
    if (time - last.time >= this.#seconds) return pass(channel, ends, last);
    ends.pop();
    return [];
  }

  /**
   * The result of a span has come. Returns the end that is due now.
   * @param lastWordEnd undefined: it has no words, and so no end is reported
   */
  answered(channel: number, start: number, end: number, lastWordEnd: number | undefined): DueEnd[] {
    const ends = this.#channels.get(channel) ?? [];
    while (ends[0] !== undefined && ends[0].time <= start) ends.shift();
    const [first] = ends;
    if (first === undefined || first.time > end) return [];
    if (lastWordEnd === undefined || first.passed) ends.shift();
    else first.lastWordEnd = lastWordEnd;
    return lastWordEnd !== undefined && first.passed ? [{ channel, lastWordEnd }] : [];
  }

  /** So many seconds of the stream have been decoded. Returns the ends that are due now. */
  decoded(seconds: number): DueEnd[] {
    const due: DueEnd[] = [];
    for (const [channel, ends] of this.#channels) {
      const last = ends.at(-1);
      if (last === undefined || last.passed || seconds - last.time < this.#seconds) continue;
      due.push(...pass(channel, ends, last));
    }
    return due;
  }
}

/** The silence behind the last end of a channel is long enough. Returns the end if it is due, and forgets it. */
function pass(channel: number, ends: End[], last: End): DueEnd[] {
  last.passed = true;
  const { lastWordEnd } = last;
  if (lastWordEnd === undefined) return [];
  ends.pop();
  return [{ channel, lastWordEnd }];
}
