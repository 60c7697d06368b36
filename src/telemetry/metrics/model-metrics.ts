import { sampledTraceId } from "../tracing/traceparent.ts";
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
  /** Queued, not running. */
  readonly finalsWaiting: number;
  readonly interimsWaiting: number;
  /** Threads started so far. */
  readonly spawns: number;
}

/** Metrics of one model and its pool of workers. */
export class ModelMetrics {
  /** The label `model` of all series. */
  readonly model: string;
  readonly #registry: MetricRegistry;
  readonly #families: MetricFamilies;
  readonly #queueSeconds: Readonly<Record<JobKind, Histogram>>;
  readonly #computeSeconds: Readonly<Record<JobKind, Histogram>>;
  readonly #batchSize: Histogram;
  readonly #stage: StageInstruments;

  constructor(registry: MetricRegistry, families: MetricFamilies, model: string) {
    const { queueSeconds, computeSeconds, batchSize } = families.inference;
    const byKind = (family: typeof queueSeconds) => ({
      final: family.with({ model, kind: "final" }),
      interim: family.with({ model, kind: "interim" }),
    });
    this.#registry = registry;
    this.#families = families;
    this.model = model;
    this.#queueSeconds = byKind(queueSeconds);
    this.#computeSeconds = byKind(computeSeconds);
    this.#batchSize = batchSize.with({ model });
    this.#stage = stageInstruments(families.stages, "inference");
  }

  /** Reads the state of the pool whenever the metrics are read. @param workers configured number of threads */
  observePool(workers: number, load: () => PoolLoad): void {
    const { model } = this;
    const { workers: family, inference } = this.#families;
    this.#registry.onCollect(() => {
      const { workersReady, workersBusy, workersAbandoned, finalsWaiting, interimsWaiting, spawns } = load();
      family.starts.with({ model }).value = spawns;
      family.restarts.with({ model }).value = Math.max(0, spawns - workers);
      family.count.with({ model, state: "busy" }).set(workersBusy);
      family.count.with({ model, state: "idle" }).set(Math.max(0, workersReady - workersBusy));
      family.count.with({ model, state: "starting" }).set(Math.max(0, workers - workersReady));
      family.abandoned.with({ model }).set(workersAbandoned);
      inference.waiting.with({ model, kind: "final" }).set(finalsWaiting);
      inference.waiting.with({ model, kind: "interim" }).set(interimsWaiting);
    });
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
