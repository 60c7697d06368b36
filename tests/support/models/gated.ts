import { existsSync } from "node:fs";

import type { ModelModule } from "../../../src/model/model.ts";

/** Answers once the file `gate` exists, so that a test decides how long results are pending. */
export default {
  name: "gated",
  settings: { gate: { default: "" } },
  load: ({ gate }: Record<string, unknown>) => ({
    warmUp: () => {},
    infer(audio: Float32Array) {
      while (!existsSync(String(gate))) Bun.sleepSync(5);
      return { count: audio.length };
    },
  }),
} satisfies ModelModule;
