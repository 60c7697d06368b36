import type { Arena } from "../audio/arena.ts";
import type { ModelSize } from "../capacity/model-load.ts";
import type { Config, ModelConfig } from "../config/config.ts";
import type { Clock } from "../lib/clock.ts";
import { fileName, isModelPath } from "../model/models.ts";
import { hostFor, type HostPrograms } from "../pool/host-for.ts";
import { logOutput } from "../pool/output-log.ts";
import { ModelPool } from "../pool/pool.ts";
import type { Unavailable } from "../pool/workers.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { ServedModel } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { ModelEntry, type ReloadResult } from "./model-entry.ts";
import { ReloadQueue } from "./reload-queue.ts";

/** All models of a server, each with a pool of its own. */
export interface ModelTier {
  /**
   * Resolves when all models are loaded and warm, and `publish` has got them. Rejects with a sentence when one cannot be
   * loaded, or when two have the same name.
   */
  readonly ready: Promise<void>;
  /** The first model for which no stream should be started. */
  readonly outage: ModelOutage | undefined;
  /** The models of which workers are being loaded. */
  readonly loads: readonly ModelLoad[];
  /** The size of each loaded model, by name. */
  readonly sizes: ReadonlyMap<string, ModelSize>;
  /**
   * Loads a model again, which must be one from a file; undefined: all of those, one after the other. Throws
   * ProtocolError when there is no such model, or not at the moment.
   */
  reload(model?: string): Promise<readonly ReloadResult[]>;
  /** Ends the workers of earlier generations that no stream uses. To be called a few times a second. */
  retire(): void;
  close(): Promise<void>;
}

/** The workers of a model of which some are being loaded. */
export interface ModelLoad {
  /** Unique and the same for ever, which the name is not: see `nameOf`. */
  readonly id: string;
  readonly model: string;
  readonly ready: number;
  readonly workers: number;
}

/** Why a model cannot be used. */
export interface ModelOutage extends Unavailable {
  readonly model: string;
  /** The model and the reason, for people. */
  readonly message: string;
}

export interface TierOptions {
  readonly arena: Arena;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly programs: HostPrograms;
  readonly clock: Clock;
  /** Receives the models by the name that a start names, the default first: when all are loaded, and after a reload. */
  readonly publish: (models: ReadonlyMap<string, ServedModel>) => void;
  /** Returns why no model can be reloaded now; undefined: it can. */
  readonly refusal: () => ProtocolError | undefined;
}

export function openModels(config: Config, options: TierOptions): ModelTier {
  const { log, metrics } = options;
  const openPool = (key: string | undefined, model: ModelConfig): ModelPool =>
    new ModelPool({
      model: model.name,
      settings: model.settings,
      limits: {
        workers: model.workers,
        inferenceTimeoutMs: model.inference_timeout_ms,
        loadTimeoutMs: model.load_timeout_ms,
        maxInFlight: config.limits.max_in_flight_per_channel,
        maxStreams: model.max_streams_per_worker,
      },
      arena: options.arena,
      startHost: hostFor(model, options.programs, logOutput(log, key, model.name)),
      log,
      metrics: (exported) => metrics.model(key ?? exported),
      clock: options.clock,
    });
  const { model_generations: maxGenerations } = config.limits;
  const open = (key: string | undefined, model: ModelConfig): ModelEntry =>
    new ModelEntry({ config: model, key, openPool: () => openPool(key, model), maxGenerations, log });
  const further = Object.entries(config.models).map(([key, model]) => open(key, model));
  const all = [open(undefined, config.model), ...further];
  const publish = (): void => options.publish(byName(all));
  const ready = Promise.all(all.map(({ pool }) => pool.ready)).then(publish);
  // The caller handles the rejection; one without a caller must not end the process.
  ready.catch(() => {});
  const reload = async (entry: ModelEntry): Promise<ReloadResult> => {
    const label = entry.name;
    log.info("model_reloading", { model: label });
    const result = await entry.reload((name) => checkName(all, entry, name));
    metrics.families.models.reloads.with({ model: label, result: result.result }).add();
    if (result.result === "loaded") publish();
    return result;
  };
  const queue = new ReloadQueue(async (model) => {
    const results: ReloadResult[] = [];
    for (const entry of chosen(all, model, options.refusal)) results.push(await reload(entry));
    return results;
  });
  metrics.registry.onCollect(() => {
    const { generation, loaded } = metrics.families.models;
    for (const entry of all.filter(({ pool }) => pool.name !== undefined)) {
      generation.with({ model: entry.name }).set(entry.generation);
      loaded.with({ model: entry.name }).set(entry.generations);
    }
  });
  return {
    ready,
    get outage() {
      return firstOutage(all);
    },
    get loads() {
      return all.flatMap(loadsOf);
    },
    get sizes() {
      return new Map(all.map((entry) => [entry.name, sizeOf(entry)]));
    },
    reload: async (model) => {
      chosen(all, model, options.refusal);
      return await queue.request(model);
    },
    retire: () => {
      for (const entry of all) entry.retire();
    },
    close: async () => {
      await Promise.all(all.map((entry) => entry.close()));
    },
  };
}
/** Returns the models to reload. Throws ProtocolError when there is no such model, or not at the moment. */
function chosen(
  all: readonly ModelEntry[],
  model: string | undefined,
  refusal: TierOptions["refusal"],
): readonly ModelEntry[] {
  const refused = refusal();
  if (refused !== undefined) throw refused;
  const fromFiles = all.filter(({ config }) => isModelPath(config.name));
  if (model === undefined) return fromFiles;
  const isAlias = ({ key, config }: ModelEntry): boolean => key === undefined && fileName(config.name) === model;
  const found = fromFiles.find(({ name }) => name === model) ?? fromFiles.find(isAlias);
  if (found !== undefined) return [found];
  const allowed = fromFiles.map(({ name }) => name).join(", ") || "none, since no model is from a file";
  const isBuiltIn = all.some(({ name }) => name === model);
  const what = `${JSON.stringify(model)}${isBuiltIn ? ", which is built in" : ""}`;
  throw new ProtocolError("invalid_request", `model: found ${what}; allowed: ${allowed}`, { param: "model" });
}

function sizeOf({ config, pool }: ModelEntry): ModelSize {
  const { warmUpMs, warmedByCall, pinned, concurrency = 1 } = pool.info;
  const size = { workers: config.workers * concurrency, warmUpMs, warmedByCall };
  return pinned ? { ...size, places: () => pool.places } : size;
}

function firstOutage(all: readonly ModelEntry[]): ModelOutage | undefined {
  for (const { pool, name } of all) {
    const { unavailable } = pool;
    if (unavailable === undefined) continue;
    return { ...unavailable, model: name, message: `model ${JSON.stringify(name)}: ${unavailable.reason}` };
  }
  return undefined;
}

/** Returns the loads of a model: workers that are replaced, and the next generation. */
function loadsOf({ config, key = "", name, pool, next, generation }: ModelEntry): ModelLoad[] {
  const { workers } = config;
  return [pool, next].flatMap((each, i) => {
    if (each === undefined || each.load.workersReady >= workers || each.unavailable !== undefined) return [];
    return [{ id: `${key} ${generation + i}`, model: name, ready: each.load.workersReady, workers }];
  });
}

/** Returns the loaded models by name. Throws when two have the same name. */
function byName(all: readonly ModelEntry[]): ReadonlyMap<string, ServedModel> {
  const models = new Map<string, ServedModel>();
  for (const entry of all) {
    if (models.has(entry.name)) {
      const [first] = all;
      throw new Error(
        `models.${entry.name}: is already the name of the default model, which ${first?.config.name} exports; ` +
          "allowed: another key, or another exported name",
      );
    }
    models.set(entry.name, entry.served());
  }
  return models;
}

/** Throws an Error when another model has the name that a model gets by its reload. */
function checkName(all: readonly ModelEntry[], entry: ModelEntry, name: string): void {
  if (!all.some((other) => other !== entry && other.name === name)) return;
  throw new Error(`its name is now ${JSON.stringify(name)}, which is that of another model; allowed: another name`);
}
