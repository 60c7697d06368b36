import type { Call, Model, ModelModule } from "streamer/model";

/** What the client gets: a plain object of numbers, texts, lists. The protocol's own names, such as `type`, are taken. */
interface Output {
  loudness_db: number;
  loud: boolean;
}

class Loudness implements Model<Output> {
  readonly #loudDb: number;

  constructor(loudDb: number) {
    this.#loudDb = loudDb;
  }

  /** `audio` is one piece of one channel: mono, -1 to 1, at `call.sampleRate`. This is a worker thread, so take as long as it
   *  takes; a promise is fine, too. To throw is to answer this piece with an error: the stream goes on. */
  infer(audio: Float32Array, call: Call): Output {
    // While somebody is still speaking (call.final is false), a quick answer may do.
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
  /** Audio is resampled to this, whatever the client sends. */
  sampleRate: 16_000,
  /** The same audio gives the same answer, so a piece may be tried again when its worker dies. */
  idempotent: true,
  settings: {
    loud_db: { default: -30, unit: "dBFS", meaning: "what counts as loud" },
  },
  /** Called once in each worker, before it gets audio: read weights, open libraries. Packages beside this file can be imported. */
  load(settings) {
    return new Loudness(Number(settings["loud_db"]));
  },
} satisfies ModelModule;
