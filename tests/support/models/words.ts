import type { Call, ModelModule } from "../../../src/model/model.ts";

const WORDS = ["turn", "left", "here"] as const;

/** A recogniser of three words, which lie evenly in whatever it is given. */
export default {
  name: "words",
  options: ["language", "vocabulary"],
  load() {
    return {
      infer(samples: Float32Array, { sampleRate, options }: Call) {
        const seconds = samples.length / sampleRate / WORDS.length;
        const words = WORDS.map((word, n) => {
          return { word, start: n * seconds, end: (n + 1) * seconds, confidence: 0.5 + n / 10 };
        });
        return {
          text: WORDS.join(" "),
          words,
          confidence: 0.75,
          language: "en",
          count: samples.length,
          asked: options,
        };
      },
    };
  },
} satisfies ModelModule;
