import type { VadSettings } from "../protocol/requests.ts";

/** What the endpointer says, positions in samples since the start of the stream. */
export type Transition =
  /** Speech began. `start` is the begin of the first speech window. */
  | { readonly type: "active"; readonly position: number }
  /** Speech ended. `position` is the end of the last speech window, or where a flush cut it. */
  | { readonly type: "inactive"; readonly position: number }
  /** An utterance is complete; `start` < `end`. Utterances never overlap and come in order. */
  | { readonly type: "utterance"; readonly start: number; readonly end: number };

/** A pause this short does not end a beginning that has not reached `min_speech_ms` yet. */
const START_GAP_MS = 50;
/** `max_utterance_ms` cuts at the quietest window border of this stretch. */
const CUT_SEARCH_MS = 1000;

/** A window of the energy VAD, about: it is a whole number of samples. */
const WINDOW_MS = 10;

/**
 * Milliseconds from the begin of the first speech window to where `min_speech_ms` is reached, at most: single windows of speech, and as
 * much pause between them as may be.
 */
export function longestBeginningMs(settings: VadSettings): number {
  return (Math.ceil(settings.min_speech_ms / WINDOW_MS) + 1) * (WINDOW_MS + START_GAP_MS);
}

/**
 * Endpointing: window decisions in, utterances out. A synchronous state machine on the sample clock:
 *
 * ```
 * silence --first speech window--> starting --min_speech--> speaking --min_silence--> silence
 *                                  starting --a gap-------> silence
 * ```
 *
 * The policy is that of the protocol page, "Segmentation".
 */
export class Endpointer {
  readonly #window: number;
  readonly #minSpeech: number;
  readonly #minSilence: number;
  readonly #startGap: number;
  readonly #preRoll: number;
  readonly #postRoll: number;
  readonly #maxUtterance: number;
  /** Windows that a cut looks at. */
  readonly #search: number;
  readonly #levels: Levels;

  /** End of the last window decided. */
  #clock = 0;
  /** Begin of the first speech window of what may be, or is, speech. */
  #speechStart: number | undefined;
  #speechEnd = 0;
  /** Samples of speech windows since #speechStart. */
  #speechSamples = 0;
  /** Begin of the open utterance, pre-roll included. */
  #open: number | undefined;
  /** Begin of an utterance is never before this: the end of the one before, or a flush. */
  #barrier = 0;
  /** Speech events are never before this: where a flush ended speech. */
  #flushed = 0;

  /** @param sampleRate Hz; @param windowSamples samples of a VAD window */
  constructor(settings: VadSettings, sampleRate: number, windowSamples: number) {
    const samples = (ms: number): number => Math.round((ms * sampleRate) / 1000);
    this.#window = windowSamples;
    this.#minSpeech = samples(settings.min_speech_ms);
    this.#minSilence = samples(settings.min_silence_ms);
    this.#startGap = samples(START_GAP_MS);
    this.#preRoll = samples(settings.pre_roll_ms);
    this.#postRoll = samples(settings.post_roll_ms);
    this.#maxUtterance = samples(settings.max_utterance_ms);
    this.#search = Math.ceil(samples(CUT_SEARCH_MS) / windowSamples);
    const late = this.#preRoll + samples(longestBeginningMs(settings)) - this.#maxUtterance;
    this.#levels = new Levels(this.#search + 1 + Math.max(0, Math.ceil(late / windowSamples)));
  }

  /** Begin of the open utterance, undefined in silence. */
  get open(): number | undefined {
    return this.#open;
  }

  /** The earliest position that a coming utterance may reach back to. */
  get needed(): number {
    if (this.#open !== undefined) return this.#open;
    return Math.max(this.#barrier, (this.#speechStart ?? this.#clock) - this.#preRoll);
  }

  /** The next window's decision. */
  decide(speech: boolean, levelDb: number, emit: (transition: Transition) => void): void {
    const start = this.#clock;
    this.#clock += this.#window;
    this.#levels.push(levelDb);
    if (speech) this.#hear(start);
    if (this.#speechStart === undefined) return;
    if (this.#open === undefined) {
      if (this.#speechSamples >= this.#minSpeech) this.#begin(emit);
      else if (this.#clock - this.#speechEnd > this.#startGap) this.#speechStart = undefined;
    }
    if (this.#open === undefined) return;
    if (this.#clock - this.#speechEnd >= this.#minSilence) this.#finish(this.#speechEnd, this.#clock, emit);
    else this.#limit(emit);
  }

  /** Ends an open utterance at `clock`, the number of samples there are; speech that goes on is a new `active`. */
  flush(clock: number, emit: (transition: Transition) => void): void {
    if (this.#open === undefined) return;
    this.#finish(clock, clock, emit);
    this.#flushed = clock;
  }

  /** Ends the stream at `clock`. */
  end(clock: number, emit: (transition: Transition) => void): void {
    if (this.#open !== undefined) this.#finish(this.#speechEnd, clock, emit);
  }

  #hear(start: number): void {
    if (this.#speechStart === undefined) {
      this.#speechStart = start;
      this.#speechSamples = 0;
    }
    this.#speechSamples += this.#window;
    this.#speechEnd = this.#clock;
  }

  #begin(emit: (transition: Transition) => void): void {
    const position = Math.max(this.#speechStart ?? 0, this.#flushed);
    this.#open = Math.max(this.#barrier, position - this.#preRoll);
    emit({ type: "active", position });
  }

  #finish(inactive: number, clock: number, emit: (transition: Transition) => void): void {
    const start = this.#open ?? clock;
    const end = Math.min(inactive + this.#postRoll, clock);
    emit({ type: "inactive", position: inactive });
    // After a cut in the pause behind the last word nothing may be left.
    if (end > start) {
      emit({ type: "utterance", start, end });
      this.#barrier = end;
    }
    this.#open = undefined;
    this.#speechStart = undefined;
  }

  /**
   * Ends an utterance that the next window would make too long at the quietest border of its last second; the next begins on that very
   * sample, with no speech events between. One that took long to become speech may have to be cut more than once.
   */
  #limit(emit: (transition: Transition) => void): void {
    for (let start = this.#open ?? this.#clock; this.#clock + this.#window - start > this.#maxUtterance;) {
      // In windows before the clock: the last border that the utterance may reach, and the first one behind its start.
      const last = Math.ceil((this.#clock - start - this.#maxUtterance) / this.#window);
      const first = Math.ceil((this.#clock - start) / this.#window) - 1;
      const end = this.#clock - this.#levels.quietest(last + 1, Math.min(first, last + this.#search)) * this.#window;
      emit({ type: "utterance", start, end });
      this.#barrier = this.#open = start = end;
    }
  }
}

/** The levels of the last windows, a ring. */
class Levels {
  readonly #levels: Float64Array;
  #count = 0;

  constructor(size: number) {
    this.#levels = new Float64Array(size);
  }

  push(levelDb: number): void {
    this.#levels[this.#count % this.#levels.length] = levelDb;
    this.#count += 1;
  }

  /**
   * The quietest border between two windows from the one `from` windows before the clock (1 or more) back to the one `to`
   * windows before it: the one with the lowest sum of the levels (in dB) on its two sides, of equal ones the latest.
   */
  quietest(from: number, to: number): number {
    let best = from;
    let lowest = Number.POSITIVE_INFINITY;
    for (let back = from; back <= to; back++) {
      const sum = this.#at(back) + this.#at(back + 1);
      if (sum < lowest) {
        lowest = sum;
        best = back;
      }
    }
    return best;
  }

  /** The level of the window `back` windows before the clock, 1 is the last. */
  #at(back: number): number {
    return this.#levels[(this.#count - back) % this.#levels.length] ?? 0;
  }
}
