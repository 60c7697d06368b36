import type { ModelModule, StatefulModel } from "streamer/model";

/** The fields of a result: numbers, strings, lists, objects. Names of the protocol, such as `type`, are reserved. */
interface Output {
  loudness_db: number;
  seconds?: number;
}

/**
 * The state of one channel of a stream. It is copied from worker to worker, so keep it small, and keep it plain data. If
 * it stands for something that must be released, such as memory of a C library, add `dispose(state)`.
 */
interface State {
  samples: number;
  power: number;
}

class SmoothLoudness implements StatefulModel<Output, State> {
  /** Share of the old power that is left after one second. */
  readonly #memory: number;

  constructor(memory: number) {
    this.#memory = memory;
  }

  /** Returns the state at the start of a stream. */
  start(): State {
    return { samples: 0, power: 0 };
  }

  /**
   * Processes the next block of one channel: mono samples from -1 to 1, at the sample rate below. Returns the result
   * and the next state. It runs in a worker thread and may block; it may return a promise, too. If it throws, the
   * client gets an error for this block, and the stream continues.
   */
  step(audio: Float32Array, state: State): [Output | undefined, State] {
    const keep = this.#memory ** (1 / SAMPLE_RATE);
    let { power } = state;
    for (const sample of audio) power = keep * power + (1 - keep) * sample * sample;
    // The result may be `undefined`: then the block has none.
    return [{ loudness_db: decibels(power) }, { samples: state.samples + audio.length, power }];
  }

  /** Returns a last result at the end of the stream. */
  finish(state: State): Output {
    return { loudness_db: decibels(state.power), seconds: state.samples / SAMPLE_RATE };
  }
}

function decibels(power: number): number {
  return Math.round(100 * Math.log10(Math.max(power, 1e-12))) / 10;
}

/** The model gets audio at this rate. Streamer resamples what clients send. */
const SAMPLE_RATE = 16_000;

export default {
  name: "my-model",
  sampleRate: SAMPLE_RATE,
  /** A step from the same state gives the same result, so it can be repeated if its worker dies. */
  idempotent: true,
  /** Options of a client's `start` that the model takes, such as "language"; others are refused with their name. */
  options: [],
  settings: {
    memory: { default: 0.1, unit: "of 1", meaning: "share of the loudness that is left after one second" },
  },
  /**
   * Runs once in each worker, before any audio: load weights and libraries here. Packages next to this file can be
   * imported.
   */
  load(settings) {
    return new SmoothLoudness(Number(settings["memory"]));
  },
} satisfies ModelModule;
