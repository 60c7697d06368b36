import type { ModelModule } from "../../../src/model/model.ts";

/** Returns the number of its samples. Takes one option, `language`. */
export default {
  name: "strict",
  options: ["language"],
  load: () => ({ infer: (audio) => ({ count: audio.length }) }),
} satisfies ModelModule;
