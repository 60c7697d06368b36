import { excerpt } from "../lib/excerpt.ts";
import type { LoadContext, MetricDeclaration } from "../model/model.ts";
import type { RecordedSeries } from "../telemetry/metrics/declared-metrics.ts";
import { RecordedMetrics } from "./recorded-metrics.ts";

/** Longest reason of a model that cannot serve, in characters. */
export const MAX_REASON_LENGTH = 200;
/** Shortest times between two reports of metrics, and between two of `unavailable`. */
export const METRICS_PERIOD_MS = 1000;
const UNAVAILABLE_PERIOD_MS = 100;

/** What a model reports beside the results of its calls. */
export interface ModelReport {
  /** Why the model cannot serve; null: it can again. Without it, nothing has changed. */
  readonly unavailable?: string | null;
  /** What its metrics have recorded since the last report. */
  readonly metrics?: readonly RecordedSeries[];
}

/** Collects what a model reports through its `LoadContext`, and sends it at bounded rates. */
export class ModelReports {
  readonly #metrics: RecordedMetrics;
  /** Undefined: nobody receives reports yet. */
  #send: ((report: ModelReport) => void) | undefined;
  #reason: string | undefined;
  #sentReason: string | undefined;
  #reasonSentMs = -Infinity;
  #metricsSentMs = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param declared metrics of the module */
  constructor(declared: Readonly<Record<string, MetricDeclaration>> = {}) {
    this.#metrics = new RecordedMetrics(declared, () => this.#schedule());
  }

  /** The part of the `LoadContext` whose use is reported. */
  get context(): Pick<LoadContext, "unavailable" | "metrics"> {
    return {
      unavailable: (reason) => {
        this.#reason = reason === undefined ? undefined : excerpt(String(reason), MAX_REASON_LENGTH);
        this.#schedule();
      },
      metrics: this.#metrics,
    };
  }

  /** Sends what was reported until now, at once: no stream must start before it is known. Sends reports from now on. */
  open(send: (report: ModelReport) => void): void {
    this.#send = send;
    this.flush();
  }

  /** Sends what was not sent yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = performance.now();
    const isNew = this.#reason !== this.#sentReason;
    const metrics = this.#metrics.take();
    if (isNew) [this.#sentReason, this.#reasonSentMs] = [this.#reason, now];
    if (metrics.length > 0) this.#metricsSentMs = now;
    if (!isNew && metrics.length === 0) return;
    this.#send?.({ ...(isNew && { unavailable: this.#reason ?? null }), ...(metrics.length > 0 && { metrics }) });
  }

  #schedule(): void {
    if (this.#send === undefined) return;
    const isNew = this.#reason !== this.#sentReason;
    if (!isNew && (this.#timer !== undefined || !this.#metrics.hasChanged)) return;
    const dueMs = isNew ? this.#reasonSentMs + UNAVAILABLE_PERIOD_MS : this.#metricsSentMs + METRICS_PERIOD_MS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), Math.max(0, dueMs - performance.now()));
  }
}
