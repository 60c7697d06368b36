import type { Histogram } from "./histogram.ts";
import type { StageSeries } from "./main-thread.ts";
import { type Metrics, stageSeries } from "./metrics.ts";

type Kind = "final" | "interim";

/** What becomes of an interim. */
export type InterimFate = "sent" | "replaced" | "stretched" | "overtaken" | "late" | "withheld" | "failed" | "closed";
export type WorkerDeath = "error" | "exit" | "timeout" | "load";

/** The state of a pool. */
export interface PoolLoad {
  readonly workersReady: number;
  readonly workersBusy: number;
  readonly finalsWaiting: number;
  readonly interimsWaiting: number;
  /** Threads started so far. */
  readonly spawns: number;
}

/** One model's pool. */
export class ModelMetrics {
  readonly #metrics: Metrics;
  readonly #model: string;
  readonly #queue: Readonly<Record<Kind, Histogram>>;
  readonly #compute: Readonly<Record<Kind, Histogram>>;
  readonly #batch: Histogram;
  readonly #stage: StageSeries;

  constructor(metrics: Metrics, model: string) {
    const of = (family: Metrics["queueSeconds"]) => ({
      final: family.with({ model, kind: "final" }),
      interim: family.with({ model, kind: "interim" }),
    });
    this.#metrics = metrics;
    this.#model = model;
    this.#queue = of(metrics.queueSeconds);
    this.#compute = of(metrics.computeSeconds);
    this.#batch = metrics.batchSize.with({ model });
    this.#stage = stageSeries(metrics, "inference");
  }

  /** Reads the pool when the metrics are read. */
  watch(workers: number, load: () => PoolLoad): void {
    const model = this.#model;
    this.#metrics.onCollect(() => {
      const { workersReady, workersBusy, finalsWaiting, interimsWaiting, spawns } = load();
      this.#metrics.workerStarts.with({ model }).value = spawns;
      this.#metrics.workerRestarts.with({ model }).value = Math.max(0, spawns - workers);
      const state = (name: string, count: number) => this.#metrics.workers.with({ model, state: name }).set(count);
      state("busy", workersBusy);
      state("idle", Math.max(0, workersReady - workersBusy));
      state("starting", Math.max(0, workers - workersReady));
      this.#metrics.inferenceWaiting.with({ model, kind: "final" }).set(finalsWaiting);
      this.#metrics.inferenceWaiting.with({ model, kind: "interim" }).set(interimsWaiting);
    });
  }

  /** A piece of work has been given to a worker. */
  waited(kind: Kind, ms: number, traceparent: string | undefined): void {
    this.#queue[kind].observe(ms / 1000, recordedTrace(traceparent));
  }

  /** A call has ended, with results or without. @param audioSeconds of all its pieces */
  called(kind: Kind, ms: number, pieces: number, audioSeconds: number, traceparent: string | undefined): void {
    this.#compute[kind].observe(ms / 1000, recordedTrace(traceparent));
    this.#batch.observe(pieces);
    if (audioSeconds === 0) return;
    this.#stage.processing.add(ms / 1000);
    this.#stage.media.add(audioSeconds);
    this.#stage.factor.observe(ms / 1000 / audioSeconds);
  }

  failed(code: string): void {
    this.#metrics.inferenceFailures.with({ model: this.#model, code }).add();
  }

  interim(fate: InterimFate): void {
    this.#metrics.interims.with({ model: this.#model, fate }).add();
  }

  workerDied(cause: WorkerDeath): void {
    this.#metrics.workerDeaths.with({ model: this.#model, cause }).add();
  }
}

/** The trace id of a `traceparent` whose span is recorded. */
export function recordedTrace(traceparent: string | undefined): string | undefined {
  return traceparent?.endsWith("-01") === true ? traceparent.slice(3, 35) : undefined;
}
