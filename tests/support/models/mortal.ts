import { random } from "../../../src/model/built-in/random.ts";
import { simulated } from "../../../src/model/built-in/simulated.ts";
import type { ModelModule } from "../../../src/model/model.ts";
import { BUILT_IN } from "../../../src/model/models.ts";
import { isPinned, isStateful } from "../../../src/worker/load-model.ts";

/** A built-in model that crashes its worker during a call with probability `rate`. It is not idempotent. */
export default {
  name: "mortal",
  settings: { inner: { default: "levels" }, rate: { default: 0.4 }, seed: { default: 0 } },
  async load({ inner, rate, seed }, context) {
    const module = BUILT_IN.get(String(inner));
    if (module === undefined) throw new Error(`no model ${String(inner)}`);
    const defaults = Object.entries(module.settings ?? {}).map(([key, setting]) => [key, setting.default]);
    const quick = module === simulated ? { delay: 0, constant_factor: 0, jitter: 0 } : {};
    const model = await module.load({ ...Object.fromEntries(defaults), ...quick }, context);
    const draw = random(Number(seed), context.spawn, 0);
    const live = <Result>(result: Result): Result => {
      if (draw() < Number(rate)) process.exit(1);
      return result;
    };
    const warmUp = (): void => {};
    if (isPinned(model)) throw new Error(`${String(inner)} is pinned`);
    if (!isStateful(model)) return { warmUp, infer: (audio, call) => live(model.infer(audio, call)) };
    return {
      warmUp,
      start: (call) => model.start(call),
      step: (audio, state, call) => live(model.step(audio, state, call)),
      finish: (state, call) => live(model.finish?.(state, call)),
    };
  },
} satisfies ModelModule;
