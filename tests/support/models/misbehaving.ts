import type { Call, Model, ModelModule } from "../../../src/model/model.ts";

type Output = Record<string, unknown>;

/** Breaks the rule that its setting names. */
class Misbehaving implements Model<Output> {
  readonly #how: unknown;
  #calls = 0;

  constructor(how: unknown) {
    this.#how = how;
  }

  warmUp(): void {}

  infer(audio: Float32Array, call: Call): Output | Promise<Output> {
    this.#calls++;
    switch (this.#how) {
      case "throws":
        throw new Error("no idea");
      case "exits":
        return process.exit(7);
      case "hangs":
        return new Promise<never>(() => {});
      case "rejects":
        void Promise.reject(new Error("nobody waits for this"));
        return new Promise<never>(() => {});
      case "loops":
        for (;;) this.#calls++;
      case "nan":
        return { level: Number.NaN };
      case "reserved":
        return { type: "mine" };
      case "counts":
        return { calls: this.#calls };
      case "short":
        if (audio.length < 400) throw new Error("at least 400 samples are needed");
        break;
      case "interim":
        if (!call.final) throw new Error("finals only");
    }
    return { samples: audio.length };
  }

  inferBatch(audios: Float32Array[]): Output[] {
    return audios.map((audio, i) => ({ samples: this.#how === "batch" ? i : audio.length }));
  }
}

export default {
  name: "misbehaving",
  sampleRate: 4000,
  maxBatch: 4,
  load: (settings: Record<string, unknown>) => new Misbehaving(settings["how"]),
} satisfies ModelModule;
