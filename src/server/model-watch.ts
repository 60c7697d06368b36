import type { Logger } from "../telemetry/log/log.ts";
import type { ModelOutage, ModelTier } from "./models.ts";

export interface ModelWatchOptions {
  readonly models: Pick<ModelTier, "outage">;
  /** Time for which a model may be stuck before the process is to end; 0: no limit. */
  readonly stuckExitMs: number;
  readonly log: Logger;
}

/**
 * Watches for a model that has no worker and gets none. When its threads do not return, only the end of the process
 * helps: its supervisor starts another one.
 */
export class ModelWatch {
  /** Resolves with the reason when the process is to end. */
  readonly expired: Promise<string>;
  readonly #options: ModelWatchOptions;
  readonly #expired = Promise.withResolvers<string>();
  #outage: ModelOutage | undefined;
  #stuckSinceMs: number | undefined;

  constructor(options: ModelWatchOptions) {
    this.#options = options;
    this.expired = this.#expired.promise;
  }

  /** To be called a few times a second. @param now milliseconds of the clock */
  check(now: number): void {
    const { models, stuckExitMs } = this.#options;
    const { outage } = models;
    if (outage?.model !== this.#outage?.model || outage?.cause !== this.#outage?.cause) this.#report(outage);
    this.#outage = outage;
    if (outage?.cause !== "stuck") this.#stuckSinceMs = undefined;
    else {
      this.#stuckSinceMs ??= now;
      if (stuckExitMs > 0 && now - this.#stuckSinceMs >= stuckExitMs) this.#expired.resolve(outage.message);
    }
  }

  #report(outage: ModelOutage | undefined): void {
    const { log, stuckExitMs } = this.#options;
    if (outage === undefined) return log.info("model_available", { model: this.#outage?.model });
    const { model, reason, cause } = outage;
    const exits = cause === "stuck" && stuckExitMs > 0;
    log.error("model_unavailable", { model, reason, ...(exits && { exit_in_ms: stuckExitMs }) });
  }
}
