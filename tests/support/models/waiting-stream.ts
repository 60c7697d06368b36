import type { ModelModule } from "../../../src/model/model.ts";

/** Sums samples, and waits in each step until three run. An output has the calls that ran when it was called. */
let running = 0;
const met: (() => void)[] = [];

/** Resolves when three steps run. */
function meet(): Promise<void> {
  return new Promise((resolve) => {
    met.push(resolve);
    if (met.length === 3) for (const go of met.splice(0)) go();
  });
}

export default {
  name: "waiting-stream",
  concurrency: 4,
  load: () => ({
    start: (): number => 0,
    async step(audio: Float32Array, sum: number): Promise<[object, number]> {
      const together = ++running;
      await meet();
      running--;
      const next = audio.reduce((total, sample) => total + sample, sum);
      return [{ sum: next, together }, next];
    },
    finish: (sum: number) => ({ total: sum }),
    warmUp: () => {},
  }),
} satisfies ModelModule;
