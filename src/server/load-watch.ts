import type { Logger } from "../telemetry/log/log.ts";
import type { ModelLoad, ModelTier } from "./models.ts";

/** Interval between two log records about a load. */
const REPORT_MS = 10_000;

/** A load, and what was logged of it. */
interface Load {
  readonly sinceMs: number;
  /** As of the last look. */
  current: ModelLoad;
  reportedMs: number;
  isLogged: boolean;
}

export interface LoadWatchOptions {
  readonly models: Pick<ModelTier, "loads">;
  readonly log: Logger;
}

/**
 * Logs that the workers of a model load: at the start of the server at once, unless they are ready in a moment, and then
 * or later, when some are replaced, every 10 s. What was logged so is followed by a record when they have loaded.
 */
export class LoadWatch {
  readonly #options: LoadWatchOptions;
  /** Models whose workers load, with the time since when and that of the last report. */
  readonly #loading = new Map<string, Load>();

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  /**
   * To be called a few times a second.
   * @param now milliseconds of the clock
   * @param isStart the server is not ready yet, because of these loads
   */
  check(now: number, isStart = false): void {
    const { models, log } = this.#options;
    const { loads } = models;
    for (const [id, load] of this.#loading) {
      if (loads.some((each) => each.id === id)) continue;
      this.#loading.delete(id);
      const { model, workers } = load.current;
      if (load.isLogged) log.info("loaded", { model, workers, seconds: secondsOf(load, now) });
    }
    for (const current of loads) {
      const load = this.#loading.get(current.id) ?? { sinceMs: now, current, reportedMs: now, isLogged: false };
      this.#loading.set(current.id, load);
      load.current = current;
      if (now - load.reportedMs < REPORT_MS && (load.isLogged || !isStart)) continue;
      load.reportedMs = now;
      load.isLogged = true;
      const { model, ready, workers } = current;
      log.info("loading", { model, workers_ready: ready, workers, seconds: secondsOf(load, now) });
    }
  }

  /** Returns the loads, and for how many seconds each has lasted. */
  loads(now: number): LoadProgress[] {
    return this.#options.models.loads.map(({ id, model, ready, workers }) => {
      return { model, workers_ready: ready, workers, seconds: secondsOf(this.#loading.get(id), now) };
    });
  }

  /** Describes what loads, for the status line. */
  describe(now: number): string {
    const loads = this.loads(now).map(({ model, workers_ready, workers, seconds }) => {
      return `${model}: ${workers_ready} of ${workers} workers ready, ${seconds} s`;
    });
    return `loading ${loads.join("  |  ")}`;
  }
}

/** The load of a model, for people and for `info`. */
export interface LoadProgress {
  /** Its name or, before the first worker has loaded it, that of its file. */
  readonly model: string;
  readonly workers_ready: number;
  readonly workers: number;
  readonly seconds: number;
}

function secondsOf(load: Pick<Load, "sinceMs"> | undefined, now: number): number {
  return Math.round((now - (load?.sinceMs ?? now)) / 1000);
}
