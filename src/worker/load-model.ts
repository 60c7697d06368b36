import type { AnyModel, Call, ModelModule, StatefulModel } from "../model/model.ts";
import { DEFAULT_SAMPLE_RATE, isModelPath, loadModule } from "../model/models.ts";
import { modelSettings } from "../model/settings.ts";
import { type ModelTracing, NO_MODEL_TRACING, openModelTracing } from "../telemetry/tracing/model-tracing.ts";
import type { LoadMessage, ModelInfo } from "./messages.ts";

export interface LoadedModel {
  readonly model: AnyModel;
  readonly info: ModelInfo;
  readonly tracing: ModelTracing;
}

/** From a name or path to a model that is warm. Throws with words that follow "model X cannot be loaded: ", for its author. */
export async function loadModel(message: LoadMessage): Promise<LoadedModel> {
  const begun = performance.now();
  const module = await loadModule(message.model);
  const { settings, problems } = await during("its validate()", message, () => modelSettings(module, message.settings));
  if (problems.length > 0) throw new Error(`its settings are refused: ${problems.join("; ")}`);
  const tracing = module.traces === true ? await openModelTracing(process.env) : NO_MODEL_TRACING;
  const model = await during("its load()", message, () => module.load(settings, { spawn: message.spawn }));
  checkModel(module, model);
  const stateful = isStateful(model);
  const sampleRate = module.sampleRate ?? DEFAULT_SAMPLE_RATE;
  if (message.warmUp) await during("its warm-up", message, () => warmUp(model, sampleRate));
  const info: ModelInfo = {
    name: module.name,
    sampleRate,
    stateful,
    maxBatch: stateful ? 1 : (module.maxBatch ?? 1),
    maxBatchWaitMs: module.maxBatchWaitMs ?? 0,
    idempotent: module.idempotent ?? false,
    closes: model.close !== undefined || tracing !== NO_MODEL_TRACING,
    loadMs: performance.now() - begun,
  };
  return { model, info, tracing };
}

export function isStateful(model: AnyModel): model is StatefulModel<object, unknown> {
  return "step" in model && typeof model.step === "function";
}

/** Says of what a model throws where it came from. */
async function during<T>(part: string, { model }: LoadMessage, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const place = isModelPath(model) ? placeOf(error) : undefined;
    throw new Error(`${part} failed: ${words}${place === undefined ? "" : ` (${place})`}`, { cause: error });
  }
}

/** `FILE:LINE:COLUMN` of the innermost frame that is in a file. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return /^\s*at (?:.*\()?(?:file:\/\/)?(\/(?!\$bunfs).*?:\d+:\d+)\)?$/m.exec(stack)?.[1];
}

function checkModel(module: ModelModule, model: unknown): void {
  if (typeof model !== "object" || model === null) throw new Error(`its load() gave ${String(model)} and no model`);
  const has = (name: string): boolean => typeof (model as Record<string, unknown>)[name] === "function";
  if (has("step") || module.stateful) {
    for (const name of ["start", "step"])
      if (!has(name)) throw new Error(`a stateful model needs a function ${name}(), which its load() did not give`);
  } else if (!has("infer")) {
    throw new Error("a model needs a function infer() (or start() and step(), when it is stateful)");
  } else if ((module.maxBatch ?? 1) > 1 && !has("inferBatch")) {
    throw new Error(`with maxBatch ${module.maxBatch} the model needs a function inferBatch()`);
  }
}

async function warmUp(model: AnyModel, sampleRate: number): Promise<void> {
  if (model.warmUp) return await model.warmUp();
  const silence = new Float32Array(sampleRate);
  const call: Call = { final: true, sampleRate, options: undefined };
  if (!isStateful(model)) return void (await model.infer(silence, call));
  const [, state] = await model.step(silence, await model.start(call), call);
  await model.finish?.(state, call);
}
