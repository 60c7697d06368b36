import { resolve } from "node:path";

import { describeValue } from "../lib/excerpt.ts";
import { runDelayMs } from "../lib/run-delay.ts";
import { messageOf } from "../lib/thrown.ts";
import { describeBuildError } from "../model/import-error.ts";
import { loadModule } from "../model/load-module.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { AnyModel, Call, LoadContext, ModelModule, PinnedModel, StatefulModel } from "../model/model.ts";
import { isModelPath } from "../model/models.ts";
import { fieldValue } from "../model/module-fields.ts";
import { resolveSettings } from "../model/settings.ts";
import { defaultExportPlace, stackPlace } from "../model/source-place.ts";
import { type ModelTracing, NO_MODEL_TRACING, openModelTracing } from "../telemetry/tracing/model-tracing.ts";
import { AddonFlag } from "./addon-flag.ts";
import type { LoadMessage } from "./messages.ts";
import { ModelReports } from "./model-reports.ts";
import { closeStream, openStream } from "./pinned-stream.ts";

const DEFAULT_SAMPLE_RATE = 16_000;

/** What is to be loaded, and where it shows that it has loaded a native add-on. */
export type ModelToLoad = Pick<LoadMessage, "model" | "settings" | "spawn" | "addonFlag"> & {
  /** Variables of OpenTelemetry that are not in the environment, for a model that traces. */
  readonly tracing?: Readonly<Record<string, string>>;
};

export interface LoadedModel {
  readonly model: AnyModel;
  readonly info: ModelInfo;
  readonly tracing: ModelTracing;
  readonly reports: ModelReports;
}

/** Loads a model and warms it up. Throws an error for its author; the message follows "model X cannot be loaded: ". */
export async function loadModel(message: ModelToLoad): Promise<LoadedModel> {
  const startedMs = performance.now();
  const module = await loadModule(message.model);
  const run = <T>(part: string, task: () => T | Promise<T>) => runPart(part, message.model, task);
  const { settings, problems } = await run("validate()", () => resolveSettings(module, message.settings));
  if (problems.length > 0) throw new Error(`its settings are refused: ${problems.join("; ")}`);
  // The libraries of OpenTelemetry read them from there.
  if (module.traces === true) Object.assign(process.env, message.tracing);
  const tracing = module.traces === true ? await openModelTracing(process.env) : NO_MODEL_TRACING;
  const reports = new ModelReports(module.metrics);
  const context: LoadContext = { spawn: message.spawn, ...reports.context };
  const model = await run("load()", () => module.load(settings, context));
  checkModel(module, model, message.model);
  const stateful = isStateful(model);
  const sampleRate = fieldValue(module, "sampleRate", settings) ?? DEFAULT_SAMPLE_RATE;
  const concurrency = fieldValue(module, "concurrency", settings);
  const options = fieldValue(module, "options", settings);
  const [loadedMs, delayMs] = [performance.now(), runDelayMs()];
  await run("the warm-up", () => warmUp(model, sampleRate));
  const warmMs = performance.now();
  const info: ModelInfo = {
    name: module.name,
    sampleRate,
    stateful,
    pinned: isPinned(model),
    disposes: stateful && model.dispose !== undefined,
    maxBatch: stateful ? 1 : (module.maxBatch ?? 1),
    maxBatchWaitMs: module.maxBatchWaitMs ?? 0,
    idempotent: module.idempotent ?? false,
    ...(options && { options: [...options] }),
    ...(concurrency !== undefined && { concurrency }),
    ...(module.metrics && { metrics: module.metrics }),
    nativeAddon: new AddonFlag(message.addonFlag).isSet,
    // A busy machine does not make the model look slow.
    warmUpMs: Math.max(0, warmMs - loadedMs - (runDelayMs() - delayMs)),
    warmedByCall: model.warmUp === undefined,
    loadMs: warmMs - startedMs,
  };
  return { model, info, tracing, reports };
}

export function isStateful(model: AnyModel): model is StatefulModel<object, unknown> {
  return "step" in model && typeof model.step === "function";
}

/** Returns whether a model is pinned. One that has `open` for its own use beside `infer` or `step` is not. */
export function isPinned(model: AnyModel): model is PinnedModel<object> {
  const has = (name: string): boolean => typeof (model as unknown as Record<string, unknown>)[name] === "function";
  return has("open") && !has("infer") && !has("step");
}

/** Runs a part of the model. An error gets the name of the part and, in a model file, the place. */
async function runPart<T>(part: string, model: string, task: () => T | Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    const place = isModelPath(model) ? stackPlace(error) : undefined;
    const suffix = place === undefined ? "" : ` (${place})`;
    const description = describeBuildError(error) ?? `${messageOf(error)}${suffix}`;
    throw new Error(`${part} failed: ${description}`, { cause: error });
  }
}

/** Throws an error with the place of the file's default export when `load` has returned no model. */
function checkModel(module: ModelModule, model: unknown, nameOrPath: string): void {
  const problem = findProblem(module, model);
  if (problem === undefined) return;
  throw new Error(isModelPath(nameOrPath) ? `${problem} (${defaultExportPlace(resolve(nameOrPath))})` : problem);
}

function findProblem(module: ModelModule, model: unknown): string | undefined {
  if (typeof model !== "object" || model === null) return `load() must return a model, not ${String(model)}`;
  const has = (name: string): boolean => typeof (model as Record<string, unknown>)[name] === "function";
  if (module.pinned || isPinned(model as AnyModel)) {
    if (!has("open")) return "a pinned model needs a function open(); load() returned none";
    for (const name of ["infer", "step"]) {
      if (has(name)) return `a pinned model has no ${name}(), which belongs to the streams that open() returns`;
    }
    if ((module.maxBatch ?? 1) > 1 && !has("stepBatch")) {
      return `a pinned model with maxBatch ${module.maxBatch} needs a function stepBatch()`;
    }
  } else if (has("step") || module.stateful) {
    for (const name of ["start", "step"])
      if (!has(name)) return `a stateful model needs a function ${name}(); load() returned none`;
    for (const name of ["finish", "dispose"] as const) {
      const found = (model as { [Name in typeof name]?: unknown })[name];
      if (found !== undefined && !has(name)) return `${name}: found ${describeValue(found)}; allowed: a function`;
    }
  } else if (!has("infer")) {
    return "a model needs a function infer(), or start() and step() if it is stateful, or open() if it is pinned";
  } else if ((module.maxBatch ?? 1) > 1 && !has("inferBatch")) {
    return `a model with maxBatch ${module.maxBatch} needs a function inferBatch()`;
  }
  return undefined;
}

async function warmUp(model: AnyModel, sampleRate: number): Promise<void> {
  if (model.warmUp) return await model.warmUp();
  const silence = new Float32Array(sampleRate);
  const call: Call = { final: true, sampleRate, startSeconds: 0, options: undefined };
  if (isPinned(model)) return await warmUpPinned(model, silence, call);
  if (!isStateful(model)) return void (await model.infer(silence, call));
  const [, state] = await model.step(silence, await model.start(call), call);
  if (model.finish === undefined) await model.dispose?.(state);
  else await model.finish(state, call);
}

async function warmUpPinned(model: PinnedModel<object>, silence: Float32Array, call: Call): Promise<void> {
  const stream = await openStream(model, call);
  try {
    await stream.step(silence, call);
    await stream.finish(call);
  } finally {
    await closeStream(stream, (error) => console.error(`close() of a stream failed: ${String(error)}`));
  }
}
