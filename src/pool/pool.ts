import type { StreamPlaces } from "../capacity/model-load.ts";
import { systemClock } from "../lib/clock.ts";
import { residentBytes } from "../lib/process-memory.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { ReportedMetrics } from "../telemetry/metrics/declared-metrics.ts";
import type { PoolLoad } from "../telemetry/metrics/model-metrics.ts";
import type { ModelReport } from "../worker/model-reports.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { Lane, LaneOwner } from "./lane.ts";
import type { ModelPoolOptions } from "./pool-options.ts";
import { LOAD_TIMEOUT_MS } from "./pool-options.ts";
import { PoolTelemetry } from "./pool-telemetry.ts";
import { ofSameModel } from "./same-model.ts";
import { type Unavailable, Workers } from "./workers.ts";

/** A model on a fixed number of workers, from the start of their load to their end. */
export class ModelPool {
  /**
   * Resolves when all workers are ready. Rejects when one cannot be started; the message names the model and the cause.
   */
  readonly ready: Promise<void>;

  readonly #options: ModelPoolOptions;
  readonly #telemetry: PoolTelemetry;
  readonly #workers: Workers;
  #info: ModelInfo | undefined;
  /** Undefined until a worker is ready. */
  #dispatcher: Dispatcher | undefined;
  #closing: Promise<void> | undefined;
  /** Metrics that the model declares; undefined: none, or not loaded. */
  #reports: ReportedMetrics | undefined;
  /** Last value of `reportedReason`. */
  #reason: string | undefined;
  /** Ends what the metrics show of the pool. */
  #observed: Disposable | undefined;

  constructor(options: ModelPoolOptions) {
    const { model, settings, limits, arena, startHost, log, clock = systemClock } = options;
    this.#options = options;
    this.#telemetry = new PoolTelemetry(model, log, clock);
    this.#workers = new Workers({
      count: limits.workers,
      model,
      startHost: ofSameModel(
        (start, events) => startHost({ model, settings, arena, ...start }, events),
        () => this.#info,
      ),
      loadTimeoutMs: limits.loadTimeoutMs ?? LOAD_TIMEOUT_MS,
      clock,
      events: {
        ready: (worker, info) => {
          this.#workerReady(worker, info);
          this.#reports?.workerEnded(worker);
          this.#reviewReason();
        },
        done: (worker, results) => this.#dispatcher?.callsDone(worker, results),
        exited: (worker, exit) => {
          this.#reports?.workerEnded(worker);
          this.#dispatcher?.workerExited(worker, exit);
        },
        loadFailed: (worker, exit) => this.#telemetry.loadFailed(worker, exit),
        noneLeft: () => this.#dispatcher?.failWaiting(),
        fewer: () => this.#dispatcher?.workersFewer(),
        stuck: (worker, abandoned) => this.#telemetry.workerStuck(worker, abandoned),
        reported: (worker, report, isCurrent) => this.#reported(worker, report, isCurrent),
        strangeMessage: (worker) => this.#telemetry.strangeMessage(worker),
      },
    });
    this.ready = this.#workers.started;
  }

  /** Throws before the first worker is ready; so do `sampleRate` and `lane`. */
  get info(): ModelInfo {
    if (this.#info === undefined) throw new Error("the model is not ready");
    return this.#info;
  }

  /** The name that the model exports; undefined: it is not loaded. */
  get name(): string | undefined {
    return this.#info?.name;
  }

  /** The model's sample rate, Hz. */
  get sampleRate(): number {
    return this.info.sampleRate;
  }

  /** Finals that are queued or running. */
  get finalsPending(): number {
    return this.#dispatcher?.scheduler.finalsPending ?? 0;
  }

  /** Streams with open lanes. */
  get openStreams(): number {
    return this.#dispatcher?.scheduler.openStreams ?? 0;
  }

  /** Open streams, and how many there may be; undefined: the model is not pinned. */
  get places(): StreamPlaces | undefined {
    return this.#dispatcher?.places;
  }

  /** A lane is open, or something of a lane that was closed is not over: `close` would cut it short. */
  get isUsed(): boolean {
    return this.#dispatcher?.isUsed === true;
  }

  /** Why no stream should be started; undefined: nothing is known against it. */
  get unavailable(): Unavailable | undefined {
    return this.#workers.unavailable;
  }

  /** Why the model cannot serve, as all of its workers that are ready report; undefined: nothing is known. */
  get reportedReason(): string | undefined {
    return this.#workers.reportedReason;
  }

  /** There is no worker, and none can be started: all jobs fail. */
  get isDown(): boolean {
    return this.#workers.none;
  }

  get load(): PoolLoad {
    const scheduler = this.#dispatcher?.scheduler;
    return {
      workersReady: this.#workers.readyCount,
      workersBusy: scheduler?.busyWorkers ?? 0,
      workersAbandoned: this.#workers.abandoned,
      callsRunning: scheduler?.runningCalls ?? 0,
      finalsWaiting: scheduler?.finalsWaiting ?? 0,
      interimsWaiting: scheduler?.interimsWaiting ?? 0,
      spawns: this.#workers.spawns,
      places: this.places,
    };
  }

  /** Opens a lane for one channel. @param options of the `start`, for the model; undefined: none */
  lane(owner: LaneOwner, options: unknown): Lane {
    if (this.#dispatcher === undefined || this.#closing !== undefined) throw new Error("the model is not ready");
    return this.#dispatcher.lane(owner, options);
  }

  /** Ends all workers. Jobs that are still open settle as `dropped`. Nothing is logged afterwards. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#dispatcher?.close();
    await this.#workers.close();
    this.#observed?.[Symbol.dispose]();
    this.#reports?.[Symbol.dispose]();
  }

  #workerReady(worker: number, info: ModelInfo): void {
    this.#dispatcher ??= this.#modelLoaded(info);
    this.#dispatcher.workerReady(worker);
  }

  #reported(worker: number, { metrics }: ModelReport, isCurrent: boolean): void {
    if (metrics !== undefined) this.#reports?.add(worker, metrics, isCurrent);
    this.#reviewReason();
  }

  /** Logs a change of what the workers report. */
  #reviewReason(): void {
    const { reportedReason: reason } = this.#workers;
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#telemetry.reasonChanged(reason);
  }

  #modelLoaded(info: ModelInfo): Dispatcher {
    const { limits, arena, metrics, clock = systemClock } = this.#options;
    const modelMetrics = metrics?.(info.name);
    this.#observed = modelMetrics?.observePool(
      limits.workers,
      () => this.load,
      () => residentBytes(this.#workers.pids),
    );
    if (info.metrics !== undefined) {
      const refused: string[] = [];
      this.#reports = modelMetrics?.declare(info.metrics, (metric, reason) => refused.push(`${metric}: ${reason}`));
      if (refused.length > 0) this.#telemetry.metricsRefused(refused.join("; "));
    }
    this.#info = info;
    this.#telemetry.modelLoaded(info.name, modelMetrics);
    return new Dispatcher({ info, limits, arena, workers: this.#workers, telemetry: this.#telemetry, clock });
  }
}
