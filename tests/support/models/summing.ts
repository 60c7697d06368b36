import type { ModelModule, StatefulModel } from "../../../src/model/model.ts";
import { ORDERS } from "./puppet.ts";

interface State {
  readonly sum: number;
  readonly history: Float32Array;
  readonly strange?: unknown;
}

/** Adds up all samples of a stream. */
class Summing implements StatefulModel<object, State> {
  start(): State {
    return { sum: 0, history: new Float32Array(0) };
  }

  step(audio: Float32Array, state: State): [object | undefined, State] {
    if (audio[0] === ORDERS.exit) process.exit(3);
    if (audio[0] === ORDERS.bigint) return [undefined, { ...state, strange: () => 1 }];
    const sum = audio.reduce((total, sample) => total + sample, state.sum);
    // A view of the input: the state must be copied before the next call reuses its memory.
    return [
      audio.length === 1 ? undefined : { sum, before: [...state.history] },
      { sum, history: audio.subarray(0, 3) },
    ];
  }

  finish(state: State): object {
    return { total: state.sum };
  }
}

export default { name: "summing", stateful: true, load: () => new Summing() } satisfies ModelModule;
