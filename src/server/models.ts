import type { Arena } from "../audio/arena.ts";
import type { ModelSize } from "../capacity/model-load.ts";
import type { Config, ModelConfig } from "../config/config.ts";
import type { Clock } from "../lib/clock.ts";
import { fileName } from "../model/models.ts";
import { ModelPool } from "../pool/pool.ts";
import { threadHost } from "../pool/thread-host.ts";
import type { Unavailable } from "../pool/workers.ts";
import type { ServedModel } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

/** All models of a server, each with a pool of its own. */
export interface ModelTier {
  /**
   * Resolves with the models when all are loaded and warm, by the name that a start names; the first is the default.
   * Rejects with a sentence when one cannot be loaded, or when two have the same name.
   */
  readonly ready: Promise<ReadonlyMap<string, ServedModel>>;
  /** The first model for which no stream should be started. */
  readonly outage: ModelOutage | undefined;
  /** The models of which workers are being loaded. */
  readonly loads: readonly ModelLoad[];
  /** The size of each loaded model, by name. */
  readonly sizes: ReadonlyMap<string, ModelSize>;
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
  readonly workerUrl: string;
  readonly clock: Clock;
}

/** One configured model. */
interface TierEntry {
  readonly config: ModelConfig;
  readonly pool: ModelPool;
  /** Key below `models`; undefined: the default model, which has the name that it exports. */
  readonly key: string | undefined;
}

export function openModels(config: Config, options: TierOptions): ModelTier {
  const startHost = threadHost(options.workerUrl);
  const open = (key: string | undefined, model: ModelConfig): TierEntry => ({
    config: model,
    key,
    pool: new ModelPool({
      model: model.name,
      settings: model.settings,
      limits: {
        workers: model.workers,
        inferenceTimeoutMs: model.inference_timeout_ms,
        loadTimeoutMs: model.load_timeout_ms,
        maxInFlight: config.limits.max_in_flight_per_channel,
      },
      arena: options.arena,
      startHost,
      log: options.log,
      metrics: (exported) => options.metrics.model(key ?? exported),
      clock: options.clock,
    }),
  });
  const further = Object.entries(config.models).map(([key, model]) => open(key, model));
  const all = [open(undefined, config.model), ...further];
  const pools = all.map(({ pool }) => pool);
  const ready = Promise.all(pools.map((pool) => pool.ready)).then(() => byName(all));
  // The caller handles the rejection; one without a caller must not end the process.
  ready.catch(() => {});
  return {
    ready,
    get outage() {
      return firstOutage(all);
    },
    get loads() {
      return all.filter(isLoading).map(loadOf);
    },
    get sizes() {
      return new Map(all.map((entry) => [nameOf(entry), sizeOf(entry)]));
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}

function sizeOf({ config, pool }: TierEntry): ModelSize {
  const { warmUpMs, warmedByCall } = pool.info;
  return { workers: config.workers, warmUpMs, warmedByCall };
}

function firstOutage(all: readonly TierEntry[]): ModelOutage | undefined {
  for (const entry of all) {
    const { unavailable } = entry.pool;
    if (unavailable === undefined) continue;
    const model = nameOf(entry);
    return { ...unavailable, model, message: `model ${JSON.stringify(model)}: ${unavailable.reason}` };
  }
  return undefined;
}

function isLoading({ config, pool }: TierEntry): boolean {
  return pool.load.workersReady < config.workers && pool.unavailable === undefined;
}

function loadOf(entry: TierEntry): ModelLoad {
  const { config, key, pool } = entry;
  return { id: key ?? "", model: nameOf(entry), ready: pool.load.workersReady, workers: config.workers };
}

/** The name of the default model is known when it is loaded; before, it is called by its file. */
function nameOf({ key, pool, config }: TierEntry): string {
  return key ?? pool.name ?? config.name;
}

/** Returns the loaded models by name. Throws when two have the same name. */
function byName(all: readonly TierEntry[]): ReadonlyMap<string, ServedModel> {
  const models = new Map<string, ServedModel>();
  for (const entry of all) {
    const model = served(entry);
    if (models.has(model.name)) {
      const [first] = all;
      throw new Error(
        `models.${model.name}: is already the name of the default model, which ${first?.config.name} exports; ` +
          "allowed: another key, or another exported name",
      );
    }
    models.set(model.name, model);
  }
  return models;
}

function served(entry: TierEntry): ServedModel {
  const { config, key, pool } = entry;
  const alias = key === undefined ? fileName(config.name) : undefined;
  return {
    name: nameOf(entry),
    ...(alias !== undefined && { alias }),
    sampleRate: pool.info.sampleRate,
    ownName: pool.info.name,
    generation: 1,
    keepsState: pool.info.stateful,
    options: pool.info.options,
    maxBatch: pool.info.maxBatch,
    get unavailable() {
      return pool.unavailable?.reason;
    },
    get isDown() {
      return pool.isDown;
    },
    get finalsPending() {
      return pool.finalsPending;
    },
    lane: (owner, options) => pool.lane(owner, options),
  };
}
