import type { Call, Model, ModelModule } from "streamer/model";

/** The fields of a result: numbers, strings, lists, objects. Names of the protocol, such as `type`, are reserved. */
interface Output {
  loudness_db: number;
  loud: boolean;
}

class Loudness implements Model<Output> {
  readonly #loudDb: number;

  constructor(loudDb: number) {
    this.#loudDb = loudDb;
  }

  /**
   * Computes the result for a span of one channel: mono samples from -1 to 1, at `call.sampleRate`. It runs in a
   * worker thread and may block; it may return a promise, too. If it throws, the client gets an error for this span,
   * and the stream continues.
   */
  infer(audio: Float32Array, call: Call): Output {
    // `call.final` is false for an interim result, while the speaker is still talking: a rough answer is enough.
    const step = call.final ? 1 : 4;
    let sum = 0;
    for (let i = 0; i < audio.length; i += step) sum += (audio[i] ?? 0) ** 2;
    const power = sum / Math.max(1, Math.ceil(audio.length / step));
    const decibels = 10 * Math.log10(Math.max(power, 1e-12));
    return { loudness_db: Math.round(decibels * 10) / 10, loud: decibels > this.#loudDb };
  }
}

export default {
  name: "my-model",
  /** The model gets audio at this rate. Streamer resamples what clients send. */
  sampleRate: 16_000,
  /** The same audio gives the same result, so a call can be repeated if its worker dies. */
  idempotent: true,
  /** Options of a client's `start` that the model takes, such as "language"; others are refused with their name. */
  options: [],
  settings: {
    loud_db: { default: -30, unit: "dBFS", meaning: "level above which audio counts as loud" },
  },
  /**
   * Runs once in each worker, before any audio: load weights and libraries here. Packages next to this file can be
   * imported.
   */
  load(settings) {
    return new Loudness(Number(settings["loud_db"]));
  },
} satisfies ModelModule;
