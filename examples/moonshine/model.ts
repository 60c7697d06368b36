import type { Call, Model, ModelModule } from "streamer/model";

import { Interims } from "./interims.ts";
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
  readonly #interims: Interims;

  constructor(transcriber: Transcriber, interims: Interims) {
    this.#transcriber = transcriber;
    this.#interims = interims;
  }

  async infer(audio: Float32Array, call: Call): Promise<Output | undefined> {
    if (call.final) this.#interims.forget(call);
    else if (!this.#interims.wanted(call, audio.length)) return undefined;
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
    interim_growth: { default: 0.25, meaning: "least growth of an utterance between two interim results, as a share" },
  },
  validate({ runtime, interim_growth: growth }) {
    const problems: string[] = [];
    if (!Object.hasOwn(RUNTIMES, String(runtime))) {
      problems.push(`runtime: found ${JSON.stringify(runtime)}; allowed: ${Object.keys(RUNTIMES).join(", ")}`);
    }
    if (typeof growth !== "number" || growth < 0 || growth > 10) {
      problems.push(`interim_growth: found ${JSON.stringify(growth)}; allowed: 0 to 10`);
    }
    return problems;
  },
  async load({ runtime, interim_growth: growth }) {
    const transcriber = await Transcriber.load(await RUNTIMES[String(runtime)]!());
    return new Moonshine(transcriber, new Interims(Number(growth)));
  },
} satisfies ModelModule;
