import type { Call, ModelModule, PinnedModel, PinnedStream } from "streamer/model";

/** A word. Its times are seconds from the start of the utterance; the server moves them to the clock of the stream. */
interface Word {
  word: string;
  start: number;
  end: number;
}

/** The fields of a result: numbers, strings, lists, objects. Names of the protocol, such as `type`, are reserved. */
interface Output {
  text: string;
  words: Word[];
  /** True ends the utterance on /segmented after this step, before the server has detected a pause. It is not sent. */
  endpoint?: boolean;
}

/**
 * One channel of a stream, which stays in its worker. It may hold what cannot be copied, such as the decoder of a C
 * library. In its place stands a recogniser of two sounds: "ah" for those with a voice, "ss" for those that hiss.
 */
class Sounds implements PinnedStream<Output> {
  readonly #loudDb: number;
  readonly #maxWords: number;
  readonly #frame = new Float32Array(FRAME);
  /** Samples in the frame. A step may end within one. */
  #filled = 0;
  /** Frames since the start of the utterance. */
  #frames = 0;
  #words: Word[] = [];
  /** The loud frames in a row until now, and how often their samples change the sign. */
  #loudFrames = 0;
  #crossings = 0;

  constructor(loudDb: number, maxWords: number) {
    this.#loudDb = loudDb;
    this.#maxWords = maxWords;
  }

  /**
   * Takes the next samples, each of them once: mono, from -1 to 1, at `call.sampleRate`. Returns what it has understood
   * of the utterance so far, which is the interim result on /segmented, or `undefined` for nothing. It runs in a worker
   * thread and may block; it may return a promise, too. If it throws, the client gets an error, and the stream continues.
   */
  step(audio: Float32Array): Output | undefined {
    for (const sample of audio) {
      this.#frame[this.#filled++] = sample;
      if (this.#filled === FRAME) this.#takeFrame();
    }
    if (this.#words.length === 0) return undefined;
    const ends = this.#maxWords > 0 && this.#words.length >= this.#maxWords;
    return ends ? { ...this.#result(), endpoint: true } : this.#result();
  }

  /** Returns the final result. It gets no audio: the utterance, or the stream, has ended. */
  finish(): Output {
    this.#endWord();
    return this.#result();
  }

  /** Makes the stream as a new one for the next utterance. Without this method, it is closed and another is opened. */
  reset(): void {
    this.#filled = this.#frames = this.#loudFrames = this.#crossings = 0;
    this.#words = [];
  }

  /** Releases what the stream holds. Called once, whatever has ended the stream. */
  close(): void {}

  #takeFrame(): void {
    this.#filled = 0;
    let power = 0;
    let crossings = 0;
    let last = 0;
    for (const sample of this.#frame) {
      power += sample * sample;
      if (sample < 0 !== last < 0) crossings++;
      last = sample;
    }
    const isLoud = 10 * Math.log10(Math.max(power / FRAME, 1e-12)) > this.#loudDb;
    if (!isLoud) this.#endWord();
    this.#frames++;
    if (!isLoud) return;
    this.#loudFrames++;
    this.#crossings += crossings;
  }

  #endWord(): void {
    if (this.#loudFrames >= MIN_FRAMES) {
      const word = this.#crossings / (this.#loudFrames * FRAME) > HISS ? "ss" : "ah";
      const start = (this.#frames - this.#loudFrames) / FRAME_RATE;
      this.#words.push({ word, start, end: this.#frames / FRAME_RATE });
    }
    this.#loudFrames = this.#crossings = 0;
  }

  #result(): Output {
    return { text: this.#words.map(({ word }) => word).join(" "), words: [...this.#words] };
  }
}

/** What a worker loads once for all of its streams, such as weights. */
class Recogniser implements PinnedModel<Output> {
  readonly #loudDb: number;
  readonly #maxWords: number;

  constructor(loudDb: number, maxWords: number) {
    this.#loudDb = loudDb;
    this.#maxWords = maxWords;
  }

  /** Opens a stream. `call.options` are those of the client's `start`. */
  open(_call: Call): Sounds {
    return new Sounds(this.#loudDb, this.#maxWords);
  }
}

/** The model gets audio at this rate. Streamer resamples what clients send. */
const SAMPLE_RATE = 16_000;
const FRAME_RATE = 100;
const FRAME = SAMPLE_RATE / FRAME_RATE;
/** Shorter sounds are no words. */
const MIN_FRAMES = 3;
/** Share of the samples of a hiss that have another sign than those before. */
const HISS = 0.25;

export default {
  name: "my-model",
  sampleRate: SAMPLE_RATE,
  /** `load` returns a model with `open`, whose streams stay in the worker that has opened them. */
  pinned: true,
  /** Options of a client's `start` that the model takes, such as "language"; others are refused with their name. */
  options: [],
  settings: {
    loud_db: { default: -40, unit: "dBFS", meaning: "level above which audio is a sound" },
    max_words: { default: 0, meaning: "number of sounds after which the utterance ends; 0: any" },
  },
  /**
   * Runs once in each worker, before any audio: load weights and libraries here. Packages next to this file can be
   * imported.
   */
  load(settings) {
    return new Recogniser(Number(settings["loud_db"]), Number(settings["max_words"]));
  },
} satisfies ModelModule;
