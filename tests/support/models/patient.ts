import type { ModelModule } from "../../../src/model/model.ts";

const WAIT_MS = 50;

/** Samples of the last call that has begun. */
let count = 0;

/** Waits in calls that are no whole second, as most calls of a check are: without blocking; blocking; or without blocking, and it mixes up calls that run at once. */
export default {
  name: "patient",
  concurrency: 16,
  idempotent: true,
  settings: { how: { default: "waiting" } },
  load: ({ how }) => ({
    warmUp: () => {},
    async infer(audio: Float32Array) {
      count = audio.length;
      if (count % 16_000 === 0) return { count };
      if (how === "blocking") Bun.sleepSync(WAIT_MS);
      else await Bun.sleep(WAIT_MS);
      return { count: how === "mixing" ? count : audio.length };
    },
  }),
} satisfies ModelModule;
