import type { ModelConfig } from "../config/config.ts";
import { messageOf } from "../lib/thrown.ts";
import { fileName } from "../model/models.ts";
import type { ModelPool } from "../pool/pool.ts";
import type { ServedModel } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ReloadedAs } from "../telemetry/metrics/families/models.ts";

/** What became of the reload of a model, as operators get it. */
export interface ReloadResult {
  /** Number of the process; undefined: the server has only one. */
  readonly process?: number;
  /** The name of the model, after the reload. */
  readonly model: string;
  /** `failed`: it could not be loaded. `refused`: too many generations are in use. In both cases nothing changes. */
  readonly result: ReloadedAs;
  /** The generation that new streams get now. */
  readonly generation: number;
  readonly load_ms?: number;
  /** Why it was not loaded, for operators: with paths. */
  readonly reason?: string;
  /** Generations before, with the streams that use them. */
  readonly earlier: readonly { readonly generation: number; readonly streams: number }[];
}

export interface ModelEntryOptions {
  readonly config: ModelConfig;
  /** Key below `models`; undefined: the default model, which has the name that it exports. */
  readonly key: string | undefined;
  /** Starts to load the model into new workers. */
  readonly openPool: () => ModelPool;
  /** `limits.model_generations`. */
  readonly maxGenerations: number;
  readonly log: Logger;
}

/** A generation that new streams do not get any more. */
interface EarlierGeneration {
  readonly pool: ModelPool;
  /** Resolves when its workers have ended, or do not; undefined: streams use it. */
  leaving: Promise<void> | undefined;
  left: boolean;
}

/**
 * One configured model. Each load of it is a generation, with workers of its own: a reload loads the next one beside the
 * current one. New streams get the newest; open streams stay with theirs, whose workers end with the last of them.
 */
export class ModelEntry {
  readonly config: ModelConfig;
  readonly key: string | undefined;
  readonly #options: ModelEntryOptions;
  #generation = 1;
  #pool: ModelPool;
  /** Being loaded by a reload. */
  #next: ModelPool | undefined;
  readonly #earlier = new Map<number, EarlierGeneration>();
  #isClosed = false;
  /** Of this generation, `words` of another form have been reported. */
  #oddWordsOf = 0;

  constructor(options: ModelEntryOptions) {
    this.#options = options;
    this.config = options.config;
    this.key = options.key;
    this.#pool = options.openPool();
  }

  /** The pool of the generation that new streams get. */
  get pool(): ModelPool {
    return this.#pool;
  }

  /** The pool that is being loaded to replace `pool`. */
  get next(): ModelPool | undefined {
    return this.#next;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Generations that are loaded. */
  get generations(): number {
    return 1 + this.#earlier.size;
  }

  /** The name of the default model is known when it is loaded; before, it is called by its file. */
  get name(): string {
    return this.key ?? this.#pool.name ?? this.config.name;
  }

  /** The model as new streams use it. It must be loaded. */
  served(): ServedModel {
    const pool = this.#pool;
    const alias = this.key === undefined ? fileName(this.config.name) : undefined;
    const { name: ownName, sampleRate, stateful, pinned, encodesStates, options, maxBatch } = pool.info;
    return {
      name: this.name,
      ...(alias !== undefined && { alias }),
      ownName,
      generation: this.#generation,
      sampleRate,
      keepsState: stateful,
      ...(pinned && { pinned: { stepMs: this.config.step_ms } }),
      maxStreams: pinned ? this.config.workers * this.config.max_streams_per_worker : undefined,
      encodesStates,
      options,
      maxBatch,
      oddWords: () => this.#reportOddWords(),
      get unavailable() {
        return pool.unavailable?.reason ?? pool.reportedReason;
      },
      get isDown() {
        return pool.isDown;
      },
      get finalsPending() {
        return pool.finalsPending;
      },
      lane: (owner, options) => pool.lane(owner, options),
    };
  }

  /**
   * Loads the next generation, and then uses it for new streams. To be called again only when it has resolved.
   * @param check throws an Error if the new generation cannot be used under its name
   */
  async reload(check: (name: string) => void): Promise<ReloadResult> {
    this.retire();
    await Promise.allSettled([...this.#earlier.values()].flatMap(({ leaving }) => leaving ?? []));
    const { maxGenerations } = this.#options;
    if (this.#isClosed) return this.#failed("failed", "the server is closed");
    if (this.generations >= maxGenerations) return this.#failed("refused", this.#crowded());
    const startedMs = performance.now();
    const next = (this.#next = this.#options.openPool());
    try {
      await next.ready;
      check(this.key ?? next.info.name);
    } catch (error) {
      this.#next = undefined;
      await next.close();
      return this.#failed("failed", messageOf(error));
    }
    this.#next = undefined;
    this.#earlier.set(this.#generation, { pool: this.#pool, leaving: undefined, left: false });
    this.#pool = next;
    this.#generation += 1;
    const result = { ...this.#result("loaded"), load_ms: Math.round(performance.now() - startedMs) };
    const { model, generation, load_ms } = result;
    this.#options.log.info("model_reloaded", { model, generation, load_ms, earlier_streams: this.#earlierStreams });
    this.retire();
    return result;
  }

  /** Ends the workers of earlier generations that no stream uses. To be called now and then. */
  retire(): void {
    for (const [generation, earlier] of this.#earlier) {
      if (!earlier.pool.isUsed) earlier.leaving ??= this.#leave(generation, earlier);
      // A thread that does not return keeps its model in memory, and so counts until it has.
      if (earlier.left && earlier.pool.load.workersAbandoned === 0) this.#earlier.delete(generation);
    }
  }

  /** Ends the workers of all generations. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const loaded = [this.#pool, ...[...this.#earlier.values()].map(({ pool }) => pool)];
    await Promise.all([...loaded, ...(this.#next ? [this.#next] : [])].map((pool) => pool.close()));
  }

  #reportOddWords(): void {
    if (this.#oddWordsOf === this.#generation) return;
    this.#oddWordsOf = this.#generation;
    this.#options.log.warn("odd_words", { model: this.name });
  }

  async #leave(generation: number, earlier: EarlierGeneration): Promise<void> {
    try {
      await earlier.pool.close();
    } finally {
      earlier.left = true;
    }
    const { workersAbandoned: stuck } = earlier.pool.load;
    this.#options.log.info("model_retired", { model: this.name, generation, ...(stuck > 0 && { stuck }) });
    this.retire();
  }

  #failed(result: "failed" | "refused", reason: string): ReloadResult {
    const failed = { ...this.#result(result), reason };
    const { model, generation } = failed;
    this.#options.log.error("model_reload_failed", { model, result, reason, generation });
    return failed;
  }

  #result(result: ReloadedAs): ReloadResult {
    const earlier = [...this.#earlier].map(([generation, { pool }]) => ({ generation, streams: pool.openStreams }));
    return { model: this.name, result, generation: this.#generation, earlier };
  }

  /** Streams that use earlier generations. */
  get #earlierStreams(): number {
    return [...this.#earlier.values()].reduce((sum, { pool }) => sum + pool.openStreams, 0);
  }

  #crowded(): string {
    const { maxGenerations } = this.#options;
    const streams = this.#earlierStreams;
    return (
      `${this.generations} generations of the model are loaded, the earlier ones for ${streams === 1 ? "1 stream" : `${streams} streams`}; ` +
      `allowed: ${maxGenerations} together with the next one (limits.model_generations)`
    );
  }
}
