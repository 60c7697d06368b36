import type { Arena } from "../audio/arena.ts";
import type { Config, ModelConfig } from "../config/config.ts";
import type { Clock } from "../lib/clock.ts";
import { modelName } from "../model/models.ts";
import { ModelPool } from "../pool/pool.ts";
import { threadHost } from "../pool/thread-host.ts";
import type { ServedModel } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

/** All models of a server, each with a pool of its own. */
export interface ModelTier {
  /** By the name that a start names; the first is the default. */
  readonly served: ReadonlyMap<string, ServedModel>;
  /** Resolves when all are loaded and warm; rejects with a sentence when one cannot be. */
  readonly ready: Promise<void>;
  /** Jobs of all models, queued or running, that hold audio. Those of clients that are gone count too. */
  readonly jobs: number;
  /** Worker threads of all models. */
  readonly workers: number;
  close(): Promise<void>;
}

export interface TierOptions {
  readonly arena: Arena;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly workerUrl: string;
  readonly clock: Clock;
}

export function openModels(config: Config, options: TierOptions): ModelTier {
  const startHost = threadHost(options.workerUrl);
  const pools = new Map<string, ModelPool>();
  const pool = (name: string, model: ModelConfig): ModelPool =>
    new ModelPool({
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
      metrics: options.metrics.model(name),
      clock: options.clock,
    });
  const first = modelName(config.model.name);
  pools.set(first, pool(first, config.model));
  for (const [name, model] of Object.entries(config.models)) pools.set(name, pool(name, model));
  const all = [...pools.values()];
  const ready = Promise.all(all.map((each) => each.ready)).then(() => undefined);
  // The caller handles the rejection; one without a caller must not end the process.
  ready.catch(() => {});
  return {
    served: new Map([...pools].map(([name, from]) => [name, served(name, from)])),
    ready,
    workers: [config.model, ...Object.values(config.models)].reduce((sum, { workers }) => sum + workers, 0),
    get jobs() {
      return all.reduce((sum, { load }) => sum + load.finalsWaiting + load.workersBusy, 0);
    },
    close: async () => {
      await Promise.all(all.map((each) => each.close()));
    },
  };
}

/** A pool under the name that the configuration gives it. */
function served(name: string, pool: ModelPool): ServedModel {
  return {
    name,
    get sampleRate() {
      return pool.sampleRate;
    },
    get keepsState() {
      return pool.info.stateful;
    },
    get finalsPending() {
      return pool.finalsPending;
    },
    lane: (owner, options) => pool.lane(owner, options),
  };
}
