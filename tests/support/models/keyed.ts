import type { ModelModule } from "../../../src/model/model.ts";

/** A model with a secret among its settings. */
export default {
  name: "keyed",
  settings: {
    api_key: { default: "", meaning: "key of a service" },
    max_tokens: { default: 448, meaning: "longest answer" },
    service: { default: null, meaning: "a service and its key" },
  },
  load() {
    return {
      infer(samples: Float32Array) {
        if (samples.length > 0 && samples[0]! > 0.5) throw new Error("too loud");
        return { count: samples.length };
      },
    };
  },
} satisfies ModelModule;
