import type { Model, ModelModule } from "../../../src/model/model.ts";
import { ORDERS } from "./puppet.ts";

class Batching implements Model<object> {
  infer(audio: Float32Array): object {
    if (audio[0] === ORDERS.throw) throw new Error("bad piece");
    if (audio[0] === ORDERS.exit) process.exit(3);
    return { count: audio.length, last: audio.at(-1), together: 1 };
  }

  inferBatch(audios: Float32Array[]): object[] {
    return audios.map((audio) => {
      if (audio[0] === ORDERS.throw) throw new Error("bad batch");
      if (audio[0] === ORDERS.exit) process.exit(3);
      if (audio[0] === ORDERS.nan) return { value: NaN };
      return { count: audio.length, last: audio.at(-1), together: audios.length };
    });
  }
}

export default {
  name: "batching",
  maxBatch: 8,
  maxBatchWaitMs: 5,
  idempotent: true,
  load: () => new Batching(),
} satisfies ModelModule;
