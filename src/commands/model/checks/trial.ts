import { Arena } from "../../../audio/arena.ts";
import type { AudioSpan } from "../../../audio/store.ts";
import type { Outcome } from "../../../model/job.ts";
import type { AudioJob, Lane } from "../../../pool/lane.ts";
import type { ModelPoolOptions } from "../../../pool/pool-options.ts";
import { ModelPool } from "../../../pool/pool.ts";
import type { Answered } from "./findings.ts";

/** 64 MiB: half a minute at the highest sample rate. */
const SLABS = 4096;
/** So that audio begins within a slab, as it does in a server. */
const FIRST_SAMPLE = 10;
/** After so many calls that did not come back, the rest would only take longer. */
const MOST_TIMEOUTS = 2;

/** The check cannot go on: `message` says why. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
}

export type BenchOptions = Pick<
  ModelPoolOptions,
  "model" | "settings" | "workers" | "inferenceTimeoutMs" | "loadTimeoutMs" | "workerUrl"
>;

/** A model in the very pool that a server would put it into, one call at a time. */
export class Bench implements AsyncDisposable {
  readonly pool: ModelPool;
  readonly #arena = new Arena(SLABS);
  readonly #timeoutMs: number;
  #cause = "";
  #timeouts = 0;

  constructor(options: BenchOptions) {
    this.#timeoutMs = options.inferenceTimeoutMs;
    const warn = (event: string, fields?: Record<string, unknown>): void => {
      if (event === "worker_crashed") this.#cause = String(fields?.["cause"]);
    };
    this.pool = new ModelPool({ ...options, maxInFlight: 1, arena: this.#arena, log: { warn } });
  }

  /** A lane of a session of its own. */
  lane(): Lane {
    return this.pool.lane({}, undefined);
  }

  async call(lane: Lane, samples: Float32Array, job: Partial<AudioJob> = {}): Promise<Outcome> {
    if (this.#timeouts >= MOST_TIMEOUTS) throw new GivenUp(`${MOST_TIMEOUTS} calls took too long`);
    const audio = this.#write(samples);
    const outcome = await new Promise<Outcome>((settle) => {
      lane.submit({ kind: "final", start: 0, end: audio.length, audio, ...job }, settle);
      for (const slab of audio.slabs) this.#arena.release(slab);
    });
    if (outcome.status === "failed" && outcome.code === "inference_timeout") this.#timeouts++;
    return outcome;
  }

  /** What went wrong, in words that follow "it ". */
  fault(outcome: Exclude<Outcome, Answered>): string {
    if (outcome.status === "dropped") return "was not asked: the call was dropped";
    switch (outcome.code) {
      case "inference_timeout":
        return `takes longer than ${this.#timeoutMs} ms (inference_timeout_ms); its worker is replaced`;
      case "worker_crashed":
        return `takes its worker down: ${this.#cause || outcome.message}`;
      default:
        return `fails: ${outcome.message}`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }

  #write(samples: Float32Array): AudioSpan {
    const slabs: number[] = [];
    for (let i = 0; i < samples.length; i++) {
      const place = (FIRST_SAMPLE + i) % Arena.SLAB_SAMPLES;
      if (i === 0 || place === 0) slabs.push(this.#take());
      this.#arena.samples[slabs.at(-1)! * Arena.SLAB_SAMPLES + place] = samples[i]!;
    }
    return { slabs, offset: FIRST_SAMPLE, length: samples.length };
  }

  #take(): number {
    const slab = this.#arena.take();
    if (slab < 0) throw new GivenUp("calls that did not come back hold all memory");
    return slab;
  }
}
