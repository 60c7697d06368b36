import type { MetricDeclaration } from "../../model/model.ts";
import { sampledTraceId } from "../tracing/traceparent.ts";
import { type DeclaredFamilies, ReportedMetrics } from "./declared-metrics.ts";
import type { MetricFamilies } from "./families/families.ts";
import { type StageInstruments, stageInstruments } from "./families/stages.ts";
import type { Histogram } from "./histogram.ts";
import type { MetricRegistry } from "./metric-registry.ts";

type JobKind = "final" | "interim";

/** Outcomes of a requested interim result; the metric `streamer_interims_total` explains each. */
export const INTERIM_FATES = [
  "sent",
  "replaced",
  "stretched",
  "overtaken",
  "late",
  "withheld",
  "declined",
  "failed",
  "closed",
] as const;
export type InterimFate = (typeof INTERIM_FATES)[number];

/** Reasons for the end of a worker thread; the metric `streamer_worker_deaths_total` explains each. */
export const WORKER_DEATH_CAUSES = ["error", "exit", "timeout", "load"] as const;
export type WorkerDeathCause = (typeof WORKER_DEATH_CAUSES)[number];

/** Current state of a pool. */
export interface PoolLoad {
  readonly workersReady: number;
  readonly workersBusy: number;
  /** Threads whose call or load took too long, and that have not ended. They are not among the others. */
  readonly workersAbandoned: number;
  /** Calls that workers make. */
  readonly callsRunning: number;
  /** Queued, not running. */
  readonly finalsWaiting: number;
  readonly interimsWaiting: number;
  /** Threads started so far. */
  readonly spawns: number;
  /** Channels that the workers of a pinned model have open, and may have; undefined: the model is not pinned. */
  readonly places?: { readonly open: number; readonly allowed: number } | undefined;
}

/** The metrics of a server. */
interface AllMetrics {
  readonly registry: MetricRegistry;
  readonly families: MetricFamilies;
  readonly declared: DeclaredFamilies;
}

interface ObservedPool {
  /** Configured number of threads. */
  readonly workers: number;
  readonly load: () => PoolLoad;
  readonly memory: () => number;
}

function countsOf({ workers, load }: ObservedPool): { readonly starts: number; readonly restarts: number } {
  const { spawns } = load();
  return { starts: spawns, restarts: Math.max(0, spawns - workers) };
}

/** Metrics of one model and its pools of workers. */
export class ModelMetrics {
  /** The label `model` of all series. */
  readonly model: string;
  readonly #all: AllMetrics;
  readonly #families: MetricFamilies;
  /** Of several pools while the model is reloaded, and as long as streams use earlier ones. */
  readonly #pools = new Set<ObservedPool>();
  /** Threads that pools which have ended had started, and those of them that replaced another. */
  readonly #ended = { starts: 0, restarts: 0 };
  readonly #queueSeconds: Readonly<Record<JobKind, Histogram>>;
  readonly #computeSeconds: Readonly<Record<JobKind, Histogram>>;
  readonly #batchSize: Histogram;
  readonly #stage: StageInstruments;

  constructor(all: AllMetrics, model: string) {
    const { registry, families } = all;
    this.#all = all;
    const { queueSeconds, computeSeconds, batchSize } = families.inference;
    const byKind = (family: typeof queueSeconds) => ({
      final: family.with({ model, kind: "final" }),
      interim: family.with({ model, kind: "interim" }),
    });
    this.#families = families;
    registry.onCollect(() => this.#collect());
    this.model = model;
    this.#queueSeconds = byKind(queueSeconds);
    this.#computeSeconds = byKind(computeSeconds);
    this.#batchSize = batchSize.with({ model });
    this.#stage = stageInstruments(families.stages, "inference");
  }

  /**
   * Reads the state of a pool whenever the metrics are read, and adds it to that of the model's other pools. When it is
   * disposed of, what the pool has counted stays.
   * @param workers configured number of workers
   * @param memory returns the bytes of the workers that are processes
   */
  observePool(workers: number, load: () => PoolLoad, memory: () => number = () => 0): Disposable {
    const pool: ObservedPool = { workers, load, memory };
    this.#pools.add(pool);
    return {
      [Symbol.dispose]: () => {
        if (!this.#pools.delete(pool)) return;
        const { starts, restarts } = countsOf(pool);
        this.#ended.starts += starts;
        this.#ended.restarts += restarts;
      },
    };
  }

  /** Exposes the metrics that a model declares, for one pool. @param refuse receives those that cannot be kept, and why */
  declare(
    declared: Readonly<Record<string, MetricDeclaration>>,
    refuse: (metric: string, reason: string) => void,
  ): ReportedMetrics {
    const { registry, declared: families } = this.#all;
    return new ReportedMetrics(this.model, declared, { registry, families }, refuse);
  }

  #collect(): void {
    const { model } = this;
    const { workers: family, inference, models } = this.#families;
    if (this.#pools.size === 0 && this.#ended.starts === 0) return;
    let { starts, restarts } = this.#ended;
    for (const pool of this.#pools) {
      const load = pool.load();
      const { workersReady, workersBusy, workersAbandoned, finalsWaiting, interimsWaiting, places } = load;
      const counts = countsOf(pool);
      starts += counts.starts;
      restarts += counts.restarts;
      family.count.with({ model, state: "busy" }).add(workersBusy);
      family.count.with({ model, state: "idle" }).add(Math.max(0, workersReady - workersBusy));
      family.count.with({ model, state: "starting" }).add(Math.max(0, pool.workers - workersReady));
      family.abandoned.with({ model }).add(workersAbandoned);
      family.memory.with({ model }).add(pool.memory());
      inference.running.with({ model }).add(load.callsRunning);
      inference.waiting.with({ model, kind: "final" }).add(finalsWaiting);
      inference.waiting.with({ model, kind: "interim" }).add(interimsWaiting);
      if (places === undefined) continue;
      models.pinnedStreams.with({ model }).add(places.open);
      models.pinnedPlaces.with({ model }).add(places.allowed);
    }
    family.starts.with({ model }).value = starts;
    family.restarts.with({ model }).value = restarts;
  }

  /** Records the queue time of a job that a worker starts. @param traceparent of the job */
  jobStarted(kind: JobKind, queueMs: number, traceparent: string | undefined): void {
    this.#queueSeconds[kind].observe(queueMs / 1000, sampledTraceId(traceparent));
  }

  /** Records a model call that has ended, with results or without. @param audioSeconds of all its jobs */
  callEnded(
    kind: JobKind,
    computeMs: number,
    jobs: number,
    audioSeconds: number,
    traceparent: string | undefined,
  ): void {
    this.#computeSeconds[kind].observe(computeMs / 1000, sampledTraceId(traceparent));
    this.#batchSize.observe(jobs);
    if (audioSeconds === 0) return;
    this.#stage.processingSeconds.add(computeMs / 1000);
    this.#stage.mediaSeconds.add(audioSeconds);
    this.#stage.realTimeFactor.observe(computeMs / 1000 / audioSeconds);
  }

  /** Counts a job without a result. @param code of the error event that takes its place */
  jobFailed(code: string): void {
    this.#families.inference.failures.with({ model: this.model, code }).add();
  }

  interimEnded(fate: InterimFate): void {
    this.#families.inference.interims.with({ model: this.model, fate }).add();
  }

  workerDied(cause: WorkerDeathCause): void {
    this.#families.workers.deaths.with({ model: this.model, cause }).add();
  }
}
