import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { denoise, Denoiser, type DenoiseState } from "../../../src/model/built-in/denoise.ts";
import type { ModelModule } from "../../../src/model/model.ts";

/** Noise reduction that crashes its worker at every `every`-th frame, once: the repeated step succeeds. */
export default {
  ...denoise,
  name: "mortal-denoise",
  settings: { folder: { default: "" }, every: { default: 10 } },
  validate: () => [],
  load({ folder, every }) {
    const model = new Denoiser({ reduction_db: 18, smoothing: 0.98 });
    return {
      // The default warm-up, one second of silence, would crash.
      warmUp() {},
      start: () => model.start(),
      step(audio: Float32Array, state: DenoiseState) {
        const step = model.step(audio, state);
        const marker = join(String(folder), String(Math.floor(step[1].frames / Number(every))));
        if (step[1].frames >= Number(every) && !existsSync(marker)) {
          writeFileSync(marker, "");
          process.exit(1);
        }
        return step;
      },
      finish: (state: DenoiseState) => model.finish(state),
    };
  },
} satisfies ModelModule;
