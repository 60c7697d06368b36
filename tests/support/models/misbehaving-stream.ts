import type { ModelModule, StatefulModel } from "../../../src/model/model.ts";

interface Sum {
  sum: number;
  junk?: unknown;
}

/** Breaks the rule that its setting names. */
class MisbehavingStream implements StatefulModel<object, Sum> {
  readonly #how: unknown;
  #sum = 0;

  constructor(how: unknown) {
    this.#how = how;
  }

  start(): Sum {
    this.#sum = 0;
    return { sum: 0 };
  }

  step(audio: Float32Array, state: Sum): [object, Sum] {
    const sum = state.sum + audio.length;
    switch (this.#how) {
      case "instance":
        this.#sum += audio[0] ?? 0;
        return [{ sum: this.#sum }, state];
      case "function":
        return [{ sum }, { sum, junk: () => sum }];
      case "large":
        return [{ sum }, { sum, junk: new Float64Array(20_000) }];
      case "grows":
        return [{ sum }, { sum, junk: [...((state.junk as number[]) ?? []), ...audio.subarray(0, 20)] }];
      case "blocks":
        return [{ sum }, { sum: state.sum + 1 }];
      case "random":
        return [{ draw: crypto.randomUUID() }, state];
    }
    return [{ sum }, { sum }];
  }

  finish(state: Sum): object {
    return { sum: state.sum };
  }
}

export default {
  name: "misbehaving-stream",
  sampleRate: 4000,
  idempotent: true,
  load: (settings: Record<string, unknown>) => new MisbehavingStream(settings["how"]),
} satisfies ModelModule;
