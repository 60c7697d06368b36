import { random } from "../../../src/model/built-in/random.ts";
import { simulated } from "../../../src/model/built-in/simulated.ts";
import type { Call, ModelModule, PinnedStream } from "../../../src/model/model.ts";
import { BUILT_IN } from "../../../src/model/models.ts";
import { isStateful } from "../../../src/worker/load-model.ts";

/** Counts the samples of an utterance. */
class Counting implements PinnedStream<object> {
  #samples = 0;

  step(audio: Float32Array, { utterance }: Call): object {
    this.#samples += audio.length;
    return { samples: this.#samples, utterance };
  }

  finish({ utterance }: Call): object {
    return { samples: this.#samples, utterance };
  }

  reset(): void {
    this.#samples = 0;
  }

  close(): void {}
}

/** A built-in model, or `pinned`, that crashes its worker during a call with probability `rate`. It is not idempotent. */
export default {
  name: "mortal",
  settings: { inner: { default: "levels" }, rate: { default: 0.4 }, seed: { default: 0 } },
  async load({ inner, rate, seed }, context) {
    const draw = random(Number(seed), context.spawn, 0);
    const live = <Result>(result: Result): Result => {
      if (draw() < Number(rate)) process.exit(1);
      return result;
    };
    const warmUp = (): void => {};
    if (inner === "pinned") {
      const open = (): PinnedStream<object> => {
        const stream = new Counting();
        return {
          step: (audio, call) => live(stream.step(audio, call)),
          finish: (call) => live(stream.finish(call)),
          reset: () => stream.reset(),
          close: () => stream.close(),
        };
      };
      return { warmUp, open };
    }
    const module = BUILT_IN.get(String(inner));
    if (module === undefined) throw new Error(`no model ${String(inner)}`);
    const defaults = Object.entries(module.settings ?? {}).map(([key, setting]) => [key, setting.default]);
    const quick = module === simulated ? { delay: 0, constant_factor: 0, jitter: 0 } : {};
    const model = await module.load({ ...Object.fromEntries(defaults), ...quick }, context);
    if ("open" in model) throw new Error(`${String(inner)} is pinned`);
    if (!isStateful(model)) return { warmUp, infer: (audio, call) => live(model.infer(audio, call)) };
    return {
      warmUp,
      start: (call) => model.start(call),
      step: (audio, state, call) => live(model.step(audio, state, call)),
      finish: (state, call) => live(model.finish?.(state, call)),
    };
  },
} satisfies ModelModule;
