import type { ModelModule, StatefulModel } from "streamer/model";

/** What the client gets: a plain object of numbers, texts, lists. The protocol's own names, such as `type`, are taken. */
interface Output {
  loudness_db: number;
  seconds?: number;
}

/** All that is known of one channel of one stream. It travels from worker to worker, so it is data, and small. */
interface State {
  samples: number;
  power: number;
}

class SmoothLoudness implements StatefulModel<Output, State> {
  /** How much of the old power is left after a second. */
  readonly #memory: number;

  constructor(memory: number) {
    this.#memory = memory;
  }

  start(): State {
    return { samples: 0, power: 0 };
  }

  /** `audio` is the next block of one channel: mono, -1 to 1, at the sample rate below. This is a worker thread, so take as long
   *  as it takes; a promise is fine, too. To throw is to answer this block with an error: the stream goes on. */
  step(audio: Float32Array, state: State): [Output | undefined, State] {
    const keep = this.#memory ** (1 / SAMPLE_RATE);
    let { power } = state;
    for (const sample of audio) power = keep * power + (1 - keep) * sample * sample;
    // Say `undefined` in place of the output when there is nothing to say yet.
    return [{ loudness_db: decibels(power) }, { samples: state.samples + audio.length, power }];
  }

  /** What is left to say when the stream ends. */
  finish(state: State): Output {
    return { loudness_db: decibels(state.power), seconds: state.samples / SAMPLE_RATE };
  }
}

function decibels(power: number): number {
  return Math.round(100 * Math.log10(Math.max(power, 1e-12))) / 10;
}

/** Audio is resampled to this, whatever the client sends. */
const SAMPLE_RATE = 16_000;

export default {
  name: "my-model",
  sampleRate: SAMPLE_RATE,
  /** A step from the same state gives the same answer, so it may be tried again when its worker dies. */
  idempotent: true,
  settings: {
    memory: { default: 0.1, unit: "of 1", meaning: "of the loudness, what is left after a second" },
  },
  /** Called once in each worker, before it gets audio: read weights, open libraries. Packages beside this file can be imported. */
  load(settings) {
    return new SmoothLoudness(Number(settings["memory"]));
  },
} satisfies ModelModule;
