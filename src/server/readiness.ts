import { ProtocolError } from "../protocol/errors.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { LoadWatch } from "./load-watch.ts";
import { ModelWatch } from "./model-watch.ts";
import type { ModelTier } from "./models.ts";

export interface ReadinessOptions {
  readonly models: Pick<ModelTier, "loads" | "outage">;
  /** `limits.stuck_exit_ms`. */
  readonly stuckExitMs: number;
  readonly log: Logger;
}

/** Whether a server can take streams, from the load of its models to its shutdown. */
export class Readiness {
  readonly #models: ReadinessOptions["models"];
  readonly #loads: LoadWatch;
  readonly #watch: ModelWatch;
  #phase: "loading" | "ready" | "draining" = "loading";

  constructor(options: ReadinessOptions) {
    this.#models = options.models;
    this.#loads = new LoadWatch(options);
    this.#watch = new ModelWatch(options);
  }

  /** Resolves with the reason when the process is to end, because threads of a model do not return. */
  get stuck(): Promise<string> {
    return this.#watch.expired;
  }

  /** The models are loaded. */
  loaded(): void {
    if (this.#phase === "loading") this.#phase = "ready";
  }

  /** The server shuts down. */
  draining(): void {
    this.#phase = "draining";
  }

  /** Returns why no connection is accepted; undefined when one is. */
  refusal(): ProtocolError | undefined {
    if (this.#phase === "ready") return undefined;
    return this.#phase === "draining"
      ? new ProtocolError("draining", "the server is shutting down")
      : new ProtocolError("not_ready", "the models are being loaded");
  }

  /**
   * Returns why the server is not ready; undefined when it is. While a model has no worker and gets none, connections
   * are still accepted, because other models may be in use, but new ones should go to another server.
   */
  unready(): ProtocolError | undefined {
    const { outage } = this.#models;
    return this.refusal() ?? (outage && new ProtocolError("model_unavailable", outage.message));
  }

  /** To be called a few times a second. @param now milliseconds of the clock */
  check(now: number): void {
    if (this.#phase !== "draining") this.#loads.check(now);
    if (this.#phase === "ready") this.#watch.check(now);
  }

  /** Describes the load of the models while it lasts, for a status line. @param now milliseconds of the clock */
  loadProgress(now: number): string {
    return this.#loads.describe(now);
  }
}
