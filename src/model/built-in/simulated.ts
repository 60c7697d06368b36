import * as v from "valibot";

import { isWorker } from "../../lib/worker-process.ts";
import { numberWithin } from "../../protocol/field.ts";
import type { Call, Model, ModelModule } from "../model.ts";
import { random } from "./random.ts";
import { about, describeSettings, findProblems } from "./setting-schema.ts";

const seconds = numberWithin(0, 3600);
const probability = numberWithin(0, 1);
const integer = "a whole number";

/** Settings of the simulated model. The defaults are short delays without failures. */
export const simulatedSettings = v.strictObject({
  delay: v.optional(v.pipe(seconds, about("s", "time that every call takes")), 0.02),
  constant_factor: v.optional(v.pipe(seconds, about("s", "more time for each second of audio")), 0.01),
  jitter: v.optional(v.pipe(seconds, about("s", "time by which a call takes more or less, uniformly")), 0.005),
  failure_rate: v.optional(v.pipe(probability, about("probability", "how often a call fails")), 0),
  panic_rate: v.optional(v.pipe(probability, about("probability", "how often a call takes its worker down")), 0),
  warmup_penalty: v.optional(
    v.pipe(numberWithin(0, 10_000), about("times", "how much longer the first call of a worker takes")),
    2,
  ),
  seed: v.optional(v.pipe(v.number(integer), v.safeInteger(integer), about("", "seed of all that is drawn")), 0),
});

type Settings = v.InferOutput<typeof simulatedSettings>;

/**
 * Blocks its thread as a real model does and returns the number of samples.
 *
 * Call n of a worker draws from (`seed`, spawn number, n), so that a replacement does not repeat the crash of the
 * worker before. The warm-up draws nothing and is not counted.
 */
export class Simulated implements Model<{ count: number }> {
  readonly #settings: Settings;
  readonly #spawn: number;
  #calls = 0;
  #cold = true;

  constructor(settings: Settings, spawn: number) {
    this.#settings = settings;
    this.#spawn = spawn;
  }

  warmUp(): void {
    this.#block(this.#settings.delay + this.#settings.constant_factor);
  }

  infer(audio: Float32Array, call: Call): { count: number } {
    const { delay, constant_factor, jitter, failure_rate, panic_rate, seed } = this.#settings;
    const draw = random(seed, this.#spawn, this.#calls++);
    const deviation = jitter * (2 * draw() - 1);
    const fails = draw() < failure_rate;
    const panics = draw() < panic_rate;
    this.#block(delay + (constant_factor * audio.length) / call.sampleRate + deviation);
    if (panics) panic();
    if (fails) throw new Error("simulated failure");
    return { count: audio.length };
  }

  #block(duration: number): void {
    const penalty = this.#cold ? this.#settings.warmup_penalty : 1;
    this.#cold = false;
    const milliseconds = Math.max(0, duration) * penalty * 1000;
    // Not Bun.sleepSync, which Worker.terminate() cannot interrupt (Bun 1.4.5).
    if (milliseconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  }
}

/** Ends the worker. In no worker, where this would end the program, it throws an error instead. */
function panic(): void {
  if (!isWorker()) throw new Error("simulated crash");
  process.exit(1);
}

export const simulated: ModelModule = {
  name: "simulated",
  sampleRate: 16_000,
  settings: describeSettings(simulatedSettings),
  validate: (settings) => findProblems(simulatedSettings, settings),
  load: (settings, { spawn }) => new Simulated(v.parse(simulatedSettings, settings), spawn),
};
