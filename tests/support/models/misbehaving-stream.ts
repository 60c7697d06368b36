import type { ModelModule, StatefulModel } from "../../../src/model/model.ts";

interface Sum {
  sum: number;
  junk?: unknown;
}

class Counter {
  count = 0;
  next(): number {
    return ++this.count;
  }
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
      case "class":
        return [{ sum }, { sum, junk: { counter: new Counter() } }];
      case "method":
        return [{ sum: (state.junk as Counter | undefined)?.next() ?? 0 }, { sum, junk: new Counter() }];
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
  load({ how }: Record<string, unknown>) {
    const model = new MisbehavingStream(how);
    const disposals: Readonly<Record<string, (state: Sum) => void>> = {
      disposes() {},
      "disposes badly"() {
        throw new Error("nothing to free");
      },
    };
    const dispose = disposals[String(how)];
    return dispose === undefined ? model : Object.assign(model, { dispose });
  },
} satisfies ModelModule;
