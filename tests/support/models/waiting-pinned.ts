import type { ModelModule, PinnedStream } from "../../../src/model/model.ts";

/** Steps that run when three streams make one. */
const met: (() => void)[] = [];

function meet(): Promise<void> {
  return new Promise((resolve) => {
    met.push(resolve);
    if (met.length === 3) for (const go of met.splice(0)) go();
  });
}

let open = 0;

/** Sums samples of a stream, and waits in each step until three streams make one. */
class Summing implements PinnedStream<object> {
  #sum = 0;
  #running = 0;

  constructor() {
    open++;
  }

  async step(audio: Float32Array): Promise<object> {
    const together = ++this.#running;
    await meet();
    this.#running--;
    this.#sum += audio.reduce((total, sample) => total + sample, 0);
    return { sum: this.#sum, together, open };
  }

  finish(): object {
    return { total: this.#sum, open };
  }

  close(): void {
    open--;
  }
}

export default {
  name: "waiting-pinned",
  concurrency: 4,
  load: () => ({ open: () => new Summing(), warmUp: () => {} }),
} satisfies ModelModule;
