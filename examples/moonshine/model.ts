import type { Model, ModelModule } from "streamer/model";

import { pieces } from "./pieces.ts";
import { RUNTIMES } from "./runtime.ts";
import { SAMPLE_RATE, Transcriber } from "./transcriber.ts";

interface Output {
  text: string;
  language: "en";
}

/** English speech as text, with capitals and punctuation. */
class Moonshine implements Model<Output> {
  readonly #transcriber: Transcriber;

  constructor(transcriber: Transcriber) {
    this.#transcriber = transcriber;
  }

  async infer(audio: Float32Array): Promise<Output> {
    const texts: string[] = [];
    for (const piece of pieces(audio)) texts.push(await this.#transcriber.transcribe(piece));
    return { text: texts.filter((text) => text !== "").join(" "), language: "en" };
  }

  async close(): Promise<void> {
    await this.#transcriber.close();
  }
}

export default {
  name: "moonshine",
  sampleRate: SAMPLE_RATE,
  // Greedy decoding on one thread: the same audio gives the same words in any worker.
  idempotent: true,
  options: [],
  settings: {
    runtime: { default: "web", meaning: `one of ${Object.keys(RUNTIMES).join(", ")}` },
  },
  validate({ runtime }) {
    if (runtime === undefined || Object.hasOwn(RUNTIMES, String(runtime))) return [];
    return [`runtime: found ${JSON.stringify(runtime)}; allowed: ${Object.keys(RUNTIMES).join(", ")}`];
  },
  async load({ runtime }) {
    return new Moonshine(await Transcriber.load(await RUNTIMES[String(runtime ?? "web")]!()));
  },
} satisfies ModelModule;
