import { appendFileSync } from "node:fs";

import { random } from "../../../src/model/built-in/random.ts";
import type { ModelModule } from "../../../src/model/model.ts";

/** How a worker ends, or only its call: each is a byte of the file `record`. */
export const DEATHS = {
  throw: "t",
  exit: "e",
  exitLater: "E",
  throwLater: "T",
  rejection: "r",
  hang: "h",
  stuck: "s",
  load: "l",
} as const;
type Death = keyof typeof DEATHS;

const KINDS = Object.keys(DEATHS) as Death[];
/** A call that takes so long, in milliseconds, and then ends. The tests' deadline is shorter. */
const HANG_MS = 400;
/** Workers that load in any case, so that the server becomes ready. */
const SPARED = 8;

/** A model that ends its worker in every way there is, in one of so many calls as `rate` says. */
export default {
  name: "doomed",
  settings: { rate: { default: 0.3 }, seed: { default: 0 }, record: { default: "" } },
  load({ rate, seed, record }, { spawn }) {
    const draw = random(Number(seed), spawn, 0);
    const note = (death: Death): void => {
      if (record !== "") appendFileSync(String(record), DEATHS[death]);
    };
    if (spawn >= SPARED && draw() < Number(rate) * 0.75) {
      note("load");
      throw new Error("a load that fails");
    }
    const wait = (ms?: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const die = (death: Death): void => {
      note(death);
      const error = new Error(`a death of the kind ${death}`);
      switch (death) {
        case "exit":
          return process.exit(1);
        case "exitLater":
          return void setTimeout(() => process.exit(2), 0);
        case "throwLater":
          return void setTimeout(() => {
            throw error;
          }, 0);
        case "rejection":
          return void Promise.reject(error);
        case "hang":
          return wait(HANG_MS);
        case "stuck":
          return wait();
        default:
          throw error;
      }
    };
    return {
      warmUp: () => {},
      infer(audio) {
        if (draw() < Number(rate)) die(KINDS[Math.floor(draw() * (KINDS.length - 1))]!);
        return { count: audio.length };
      },
    };
  },
} satisfies ModelModule;
