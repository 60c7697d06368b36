import type { ModelModule } from "../../../src/model/model.ts";

/** A recogniser whose results are hard to read and to print: quotes, escapes, letters beyond ASCII, names of events. */
export default {
  name: "quoting",
  load() {
    return {
      infer: (samples: Float32Array) => ({
        text: `"Grüße", \\ 日本 😀 {"type":"stopped"}\n`,
        nested: { type: "stopped", is_final: false, list: ["error", { type: "error", code: "x" }] },
        count: samples.length,
      }),
    };
  },
} satisfies ModelModule;
