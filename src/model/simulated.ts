import * as v from "valibot";

import type { Call, LoadContext, Model, ModelModule } from "./model.ts";
import { random } from "./random.ts";
import { settingProblems } from "./settings.ts";

const LONGEST_SECONDS = 3600;
const seconds = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(LONGEST_SECONDS));
const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Settings of the simulated model, with defaults that are kind to a newcomer. */
export const simulatedSettings = v.strictObject({
  /** Seconds that every call takes. */
  delay: v.optional(seconds, 0.02),
  /** Seconds more for each second of audio. */
  constant_factor: v.optional(seconds, 0.01),
  /** Seconds: each call takes up to this much more or less, uniformly. */
  jitter: v.optional(seconds, 0.005),
  /** Probability that a call fails. */
  failure_rate: v.optional(probability, 0),
  /** Probability that a call takes its worker down. */
  panic_rate: v.optional(probability, 0),
  /** How many times longer the first call of a worker takes. */
  warmup_penalty: v.optional(v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(10_000)), 2),
  seed: v.optional(v.pipe(v.number(), v.safeInteger()), 0),
});

type Settings = v.InferOutput<typeof simulatedSettings>;

/** Blocks its thread as a real model would and answers the number of samples.
 *
 *  Call n of a worker draws from (`seed`, spawn number, n): a respawned worker does not repeat its predecessor's crash. The
 *  warm-up is the first call when it is asked for; it draws nothing and is not counted. */
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
    const varied = jitter * (2 * draw() - 1);
    const fails = draw() < failure_rate;
    const panics = draw() < panic_rate;
    this.#block(delay + (constant_factor * audio.length) / call.sampleRate + varied);
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

function panic(): void {
  // On the main thread, where there is no worker to take down, it is a failure.
  if (Bun.isMainThread) throw new Error("simulated crash");
  process.exit(1);
}

export const simulated: ModelModule = {
  name: "simulated",
  sampleRate: 16_000,
  validate: (settings) => settingProblems(simulatedSettings, settings),
  load: (settings, context: LoadContext) => new Simulated(v.parse(simulatedSettings, settings), context.spawn),
};
