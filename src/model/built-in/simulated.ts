import * as v from "valibot";

import type { Call, LoadContext, Model, ModelModule } from "../model.ts";
import { about, describeSettings, settingProblems } from "../settings.ts";
import { random } from "./random.ts";

const LONGEST_SECONDS = 3600;
const seconds = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(LONGEST_SECONDS));
const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Settings of the simulated model, with defaults that are kind to a newcomer. */
export const simulatedSettings = v.strictObject({
  delay: v.optional(v.pipe(seconds, about("s", "that every call takes")), 0.02),
  constant_factor: v.optional(v.pipe(seconds, about("s", "more for each second of audio")), 0.01),
  jitter: v.optional(v.pipe(seconds, about("s", "by which a call takes more or less, uniformly")), 0.005),
  failure_rate: v.optional(v.pipe(probability, about("probability", "that a call fails")), 0),
  panic_rate: v.optional(v.pipe(probability, about("probability", "that a call takes its worker down")), 0),
  warmup_penalty: v.optional(
    v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(10_000), about("times", "longer: a worker's first call")),
    2,
  ),
  seed: v.optional(v.pipe(v.number(), v.safeInteger(), about("", "of all that is drawn")), 0),
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
  settings: describeSettings(simulatedSettings),
  validate: (settings) => settingProblems(simulatedSettings, settings),
  load: (settings, context: LoadContext) => new Simulated(v.parse(simulatedSettings, settings), context.spawn),
};
