import type { Logger } from "../telemetry/log/log.ts";
import type { ModelTier } from "./models.ts";

/** Interval between two log records about a load. */
const REPORT_MS = 10_000;

export interface LoadWatchOptions {
  readonly models: Pick<ModelTier, "loads">;
  readonly log: Logger;
}

/** Logs now and then that workers of a model load, when that takes long: at the start, or later to replace others. */
export class LoadWatch {
  readonly #options: LoadWatchOptions;
  /** Models whose workers load, with the time since when and that of the last report. */
  readonly #loading = new Map<string, { readonly sinceMs: number; reportedMs: number }>();

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /** To be called a few times a second. @param now milliseconds of the clock */
  check(now: number): void {
    const { models, log } = this.#options;
    const loads = models.loads;
    for (const id of this.#loading.keys()) {
      if (!loads.some((load) => load.id === id)) this.#loading.delete(id);
    }
    for (const { id, model, ready, workers } of loads) {
      const loading = this.#loading.get(id);
      if (loading === undefined) this.#loading.set(id, { sinceMs: now, reportedMs: now });
      else if (now - loading.reportedMs >= REPORT_MS) {
        loading.reportedMs = now;
        const seconds = Math.round((now - loading.sinceMs) / 1000);
        log.info("loading", { model, workers_ready: ready, workers, seconds });
      }
    }
  }

  /** Describes what loads, for the status line. */
  describe(now: number): string {
    const loads = this.#options.models.loads.map(({ id, model, ready, workers }) => {
      const sinceMs = this.#loading.get(id)?.sinceMs ?? now;
      return `${model}: ${ready} of ${workers} workers ready, ${Math.round((now - sinceMs) / 1000)} s`;
    });
    return `loading ${loads.join("  |  ")}`;
  }
}
