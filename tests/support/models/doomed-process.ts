import { appendFileSync } from "node:fs";

import { random } from "../../../src/model/built-in/random.ts";
import type { Call, ModelModule } from "../../../src/model/model.ts";
import perilous, { PERILS } from "./perilous.ts";

/** How a process ends, or is ended: each is a byte of the file `record`. */
export const PROCESS_DEATHS = {
  segfault: "g",
  abort: "a",
  exit: "e",
  malloc: "m",
  killed: "k",
  uncaught: "u",
  native: "n",
  stubborn: "s",
  spin: "i",
  garbage: "b",
} as const;

const KINDS = Object.keys(PROCESS_DEATHS) as (keyof typeof PROCESS_DEATHS)[];

/** A model that ends its process in every way there is, in one of so many calls as `rate` says. */
export default {
  name: "doomed-process",
  settings: { rate: { default: 0.3 }, seed: { default: 0 }, record: { default: "" } },
  load({ rate, seed, record }, { spawn }) {
    const draw = random(Number(seed), spawn, 0);
    const model = perilous.load({});
    return {
      warmUp: () => {},
      infer(audio: Float32Array, call: Call) {
        if (draw() >= Number(rate)) return { count: audio.length };
        const kind = KINDS[Math.floor(draw() * KINDS.length)]!;
        if (record !== "") appendFileSync(String(record), PROCESS_DEATHS[kind]);
        return model.infer(Float32Array.of(PERILS[kind]), call);
      },
    };
  },
} satisfies ModelModule;
