import { ProtocolError } from "../protocol/errors.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { type LoadProgress, LoadWatch } from "./load-watch.ts";
import { ModelWatch } from "./model-watch.ts";
import type { ModelLoad, ModelTier } from "./models.ts";

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
      : new ProtocolError("not_ready", `the models are being loaded${this.#progress}`);
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
    if (this.#phase !== "draining") this.#loads.check(now, this.#phase === "loading");
    if (this.#phase === "ready") this.#watch.check(now);
  }

  /** Describes the load of the models while it lasts, for a status line. @param now milliseconds of the clock */
  loadProgress(now: number): string {
    return this.#loads.describe(now);
  }

  /** Returns the loads of models that have not ended. @param now milliseconds of the clock */
  loads(now: number): readonly LoadProgress[] {
    return this.#loads.loads(now);
  }

  /** How far the load is, as the end of a sentence. It has no names: everybody may read it. */
  get #progress(): string {
    const { loads } = this.#models;
    const sum = (count: (load: ModelLoad) => number): number => loads.reduce((total, load) => total + count(load), 0);
    if (loads.length === 0) return "";
    return `: ${sum(({ ready }) => ready)} of ${sum(({ workers }) => workers)} workers are ready`;
  }
}
