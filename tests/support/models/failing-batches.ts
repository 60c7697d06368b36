import type { ModelModule } from "../../../src/model/model.ts";

/** A model whose batches fail, and whose calls may not be repeated. */
export default {
  name: "failing-batches",
  maxBatch: 4,
  load: () => ({
    infer: () => ({}),
    inferBatch: () => {
      throw new Error("none of these");
    },
  }),
} satisfies ModelModule;
