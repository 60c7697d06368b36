import type { VadSettings } from "../protocol/vad-settings.ts";
import { LevelHistory } from "./level-history.ts";

/** The state of an endpointer. Positions are samples since the start of the stream. */
export interface EndpointerState {
  readonly position: number;
  readonly speechStart?: number | undefined;
  readonly speechEnd: number;
  readonly speechSamples: number;
  readonly utteranceStart?: number | undefined;
  readonly utteranceEnd: number;
  readonly flushed: number;
  /** Levels of the last windows, as far as a cut may still look at them, dBFS. */
  readonly levels: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/** An output of the endpointer. Positions are samples since the start of the stream. */
export type Transition =
  /** Speech began. `position` is the begin of its first speech window, or where a flush ended the speech before. */
  | { readonly type: "active"; readonly position: number }
  /** Speech ended. `position` is the end of its last speech window, or where a flush ended it. */
  | { readonly type: "inactive"; readonly position: number }
  /** An utterance is complete, `start` < `end`. Utterances come in order and never overlap. */
  | { readonly type: "utterance"; readonly start: number; readonly end: number };

type Emit = (transition: Transition) => void;

/** A pause this short does not end a beginning that has not reached `min_speech_ms` yet. */
const START_GAP_MS = 50;
/** `max_utterance_ms` cuts at the quietest window border of this stretch. */
const CUT_SEARCH_MS = 1000;

/**
 * Milliseconds from the begin of the first speech window to where `min_speech_ms` is reached, at most: single windows
 * of speech with the longest allowed pauses between them.
 * @param windowMs length of a detector's window
 */
export function longestBeginningMs(settings: VadSettings, windowMs: number): number {
  return (Math.ceil(settings.min_speech_ms / windowMs) + 1) * (windowMs + START_GAP_MS);
}

/**
 * Endpointing: window decisions in, utterances out. A synchronous state machine; positions are its only clock.
 *
 * ```
 * silence --first speech window--> starting --min_speech--> speaking --min_silence--> silence
 *                                  starting --a gap-------> silence
 * ```
 *
 * The protocol page, "Segmentation", defines the policy.
 */
export class Endpointer {
  readonly #window: number;
  readonly #minSpeech: number;
  readonly #minSilence: number;
  readonly #startGap: number;
  readonly #preRoll: number;
  readonly #postRoll: number;
  readonly #maxUtterance: number;
  /** Window borders that a cut considers. */
  readonly #searchWindows: number;
  readonly #levels: LevelHistory;

  /** End of the last window decided. */
  #position = 0;
  /** Begin of the first window of speech, or of what may become speech. Undefined in silence. */
  #speechStart: number | undefined;
  /** End of the last speech window. */
  #speechEnd = 0;
  /** Samples of speech windows since #speechStart. */
  #speechSamples = 0;
  /** Begin of the open utterance, pre-roll included. Undefined unless speaking. */
  #utteranceStart: number | undefined;
  /** End of the last utterance, before which no other begins. */
  #utteranceEnd = 0;
  /** Position at which a flush last ended speech. Speech events are never before it. */
  #flushed = 0;

  /** @param sampleRate Hz; @param windowSamples samples of a detector's window */
  constructor(settings: VadSettings, sampleRate: number, windowSamples: number) {
    const samples = (ms: number): number => Math.round((ms * sampleRate) / 1000);
    this.#window = windowSamples;
    this.#minSpeech = samples(settings.min_speech_ms);
    this.#minSilence = samples(settings.min_silence_ms);
    this.#startGap = samples(START_GAP_MS);
    this.#preRoll = samples(settings.pre_roll_ms);
    this.#postRoll = samples(settings.post_roll_ms);
    this.#maxUtterance = samples(settings.max_utterance_ms);
    this.#searchWindows = Math.ceil(samples(CUT_SEARCH_MS) / windowSamples);
    // Speech that was long in its beginning may be past the limit already when it counts as speech.
    const longestBeginning = samples(longestBeginningMs(settings, (windowSamples * 1000) / sampleRate));
    const excess = this.#preRoll + longestBeginning - this.#maxUtterance;
    this.#levels = new LevelHistory(this.#searchWindows + 1 + Math.max(0, Math.ceil(excess / windowSamples)));
  }

  save(): EndpointerState {
    const levels = this.#levels.last(Math.ceil((this.#position - this.needed) / this.#window) + 1);
    const narrow = Float32Array.from(levels);
    return {
      position: this.#position,
      speechStart: this.#speechStart,
      speechEnd: this.#speechEnd,
      speechSamples: this.#speechSamples,
      utteranceStart: this.#utteranceStart,
      utteranceEnd: this.#utteranceEnd,
      flushed: this.#flushed,
      // Levels of the C library are of 32 bits.
      levels: levels.every((level, index) => level === narrow[index]) ? narrow : levels,
    };
  }

  /** Goes on from a state that another endpointer with the same settings has saved. To be called first. */
  restore(state: EndpointerState): void {
    this.#position = state.position;
    this.#speechStart = state.speechStart;
    this.#speechEnd = state.speechEnd;
    this.#speechSamples = state.speechSamples;
    this.#utteranceStart = state.utteranceStart;
    this.#utteranceEnd = state.utteranceEnd;
    this.#flushed = state.flushed;
    for (const level of state.levels) this.#levels.push(level);
  }

  /** Begin of the open utterance; undefined in silence. */
  get open(): number | undefined {
    return this.#utteranceStart;
  }

  /** End of the last speech window; undecided samples may still be speech. */
  get speechEnd(): number {
    return this.#speechEnd;
  }

  /** The earliest position at which an utterance that is still to come can begin. */
  get needed(): number {
    if (this.#utteranceStart !== undefined) return this.#utteranceStart;
    return Math.max(this.#utteranceEnd, (this.#speechStart ?? this.#position) - this.#preRoll);
  }

  /** Takes the decision about the next window. @param levelDb its level, dBFS */
  decide(speech: boolean, levelDb: number, emit: Emit): void {
    const start = this.#position;
    this.#position += this.#window;
    this.#levels.push(levelDb);
    if (speech) this.#addSpeech(start);
    if (this.#speechStart === undefined) return;
    if (this.#utteranceStart === undefined) {
      if (this.#speechSamples >= this.#minSpeech) this.#begin(this.#speechStart, emit);
      else if (this.#position - this.#speechEnd > this.#startGap) this.#speechStart = undefined;
    }
    if (this.#utteranceStart === undefined) return;
    if (this.#position - this.#speechEnd >= this.#minSilence) this.#finish(this.#speechEnd, this.#position, emit);
    else this.#cutLongUtterance(this.#utteranceStart, emit);
  }

  /** Ends an open utterance at `position`, the end of the audio received; speech that goes on is a new `active`. */
  flush(position: number, emit: Emit): void {
    if (this.#utteranceStart === undefined) return;
    this.#finish(position, position, emit);
    this.#flushed = position;
  }

  /** Ends the stream at `position`, the end of the audio received. */
  end(position: number, emit: Emit): void {
    if (this.#utteranceStart !== undefined) this.#finish(this.#speechEnd, position, emit);
  }

  #addSpeech(windowStart: number): void {
    if (this.#speechStart === undefined) {
      this.#speechStart = windowStart;
      this.#speechSamples = 0;
    }
    this.#speechSamples += this.#window;
    this.#speechEnd = this.#position;
  }

  #begin(speechStart: number, emit: Emit): void {
    const position = Math.max(speechStart, this.#flushed);
    this.#utteranceStart = Math.max(this.#utteranceEnd, position - this.#preRoll);
    emit({ type: "active", position });
  }

  /** @param inactive end of speech; @param limit end of the audio received */
  #finish(inactive: number, limit: number, emit: Emit): void {
    const start = this.#utteranceStart ?? limit;
    const end = Math.min(inactive + this.#postRoll, limit);
    emit({ type: "inactive", position: inactive });
    // A cut in the pause behind the last word may have left nothing.
    if (end > start) {
      emit({ type: "utterance", start, end });
      this.#utteranceEnd = end;
    }
    this.#utteranceStart = undefined;
    this.#speechStart = undefined;
  }

  /**
   * Cuts the open utterance when the next window would make it longer than `max_utterance_ms`: at the quietest window
   * border of its last second. The next utterance begins on that sample, without speech events between. Speech that was
   * long in its beginning may need several cuts.
   */
  #cutLongUtterance(start: number, emit: Emit): void {
    while (this.#position + this.#window - start > this.#maxUtterance) {
      // Borders counted backwards from the position: the last one within the limit, and the first one behind the start.
      const last = Math.ceil((this.#position - start - this.#maxUtterance) / this.#window) + 1;
      const first = Math.ceil((this.#position - start) / this.#window) - 1;
      const border = this.#levels.quietestBorder(last, Math.min(first, last - 1 + this.#searchWindows));
      const end = this.#position - border * this.#window;
      emit({ type: "utterance", start, end });
      this.#utteranceEnd = this.#utteranceStart = start = end;
    }
  }
}
