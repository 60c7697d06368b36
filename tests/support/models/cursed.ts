import { appendFileSync, existsSync } from "node:fs";

import type { ModelModule } from "../../../src/model/model.ts";

/** The first sample of audio that ends its worker. */
export const POISON = 0.75;

/** A model whose worker ends with poisonous audio, and in every call while the file `curse` exists. */
export default {
  name: "cursed",
  idempotent: true,
  settings: { curse: { default: "" }, record: { default: "" } },
  load: ({ curse, record }) => ({
    warmUp: () => {},
    infer(audio) {
      if (audio[0] === POISON || existsSync(String(curse))) {
        appendFileSync(String(record), "x");
        process.exit(1);
      }
      return { count: audio.length };
    },
  }),
} satisfies ModelModule;
