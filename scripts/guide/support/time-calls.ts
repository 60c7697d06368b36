// Loads a model in this process and times its calls, without a server and without a warm-up:
// `bun scripts/guide/support/time-calls.ts MODEL SECONDS,SECONDS,...` calls it with so many seconds of the recording each,
// and prints milliseconds: of the load, and of each call. A model is cold only in a process of its own.

import type { ModelModule } from "../../../src/model/model.ts";
import { recorded } from "../../../tests/support/recorded.ts";

const [path = "", seconds = ""] = process.argv.slice(2);
const audio = await recorded(0);

const beforeLoad = performance.now();
const { default: module } = (await import(path)) as { default: ModelModule };
const settings = Object.fromEntries(Object.entries(module.settings ?? {}).map(([key, value]) => [key, value.default]));
const ignore = (): void => undefined;
const metrics = { add: ignore, set: ignore, observe: ignore };
const model = await module.load(settings, { spawn: 0, unavailable: ignore, metrics });
const times = { load: performance.now() - beforeLoad, calls: [] as number[] };
if (!("infer" in model) || model.infer === undefined) throw new Error(`${path} has no infer()`);
for (const length of seconds.split(",").map(Number)) {
  const samples = Math.round(length * 16_000);
  // From where the reader begins, and again from there when the recording is too short.
  const span = Float32Array.from({ length: samples }, (_, i) => audio[16_000 + (i % (audio.length - 16_000))]!);
  const call = { final: true, sampleRate: 16_000, startSeconds: 0, options: undefined };
  const begun = performance.now();
  await model.infer(span, call);
  times.calls.push(performance.now() - begun);
}
console.log(JSON.stringify(times));
process.exit();
