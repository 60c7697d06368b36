import { Arena, type AudioSpan } from "../../../audio/arena.ts";
import { residentBytes } from "../../../lib/process-memory.ts";
import type { Outcome } from "../../../model/job.ts";
import { copySamples } from "../../../native/samples.ts";
import type { AudioJob, Lane } from "../../../pool/lane.ts";
import type { ModelPoolOptions, PoolLimits } from "../../../pool/pool-options.ts";
import { ModelPool } from "../../../pool/pool.ts";
import type { WorkerHost } from "../../../pool/worker-host.ts";
import type { Result } from "./result.ts";

/** 64 MiB: half a minute of audio at the highest sample rate. */
const SLABS = 4096;
/** Offset of audio within its first slab. Not 0, because in a server spans start anywhere in a slab. */
const OFFSET = 10;
/** The checks end after this many calls that timed out. */
const MAX_TIMEOUTS = 2;

/** The checks cannot continue; the message is the reason. */
export class ChecksAborted extends Error {
  override readonly name = "ChecksAborted";
}

export interface ModelHarnessOptions
  extends Pick<ModelPoolOptions, "model" | "settings" | "startHost">, Omit<PoolLimits, "maxInFlight"> {
  /** The audio is a recording; by default it is synthetic. */
  readonly hasRecording?: boolean;
}

/** Words that depend on the language of a model. */
interface Words {
  readonly false: string;
  /** The declaration of a model whose calls may be repeated. */
  readonly idempotent: string;
  /** What happens to a state between two calls. */
  readonly copied: string;
}

const TYPESCRIPT_WORDS: Words = { false: "false", idempotent: "idempotent: true", copied: "cloned" };
const PYTHON_WORDS: Words = { false: "False", idempotent: "idempotent = True", copied: "pickled" };

/** Runs a model in a worker pool, as a server does, and calls it with chosen audio. */
export class ModelHarness implements AsyncDisposable {
  readonly pool: ModelPool;
  /** The audio is a recording, not synthetic. */
  readonly hasRecording: boolean;
  readonly #arena = new Arena(SLABS);
  readonly #timeoutMs: number;
  /** Cause of the last crash of a worker, from the pool's log. */
  #crashCause = "";
  /** What in a state loses its methods, from the pool's log. */
  #uncloned: string | undefined;
  #timeouts = 0;
  readonly #hosts: WorkerHost[] = [];

  constructor({ model, settings, startHost, hasRecording = false, ...limits }: ModelHarnessOptions) {
    this.hasRecording = hasRecording;
    this.#timeoutMs = limits.inferenceTimeoutMs;
    const warn = (event: string, fields?: Record<string, unknown>): void => {
      if (event === "worker_crashed") this.#crashCause = String(fields?.["cause"]);
      if (event === "state_methods_lost") this.#uncloned ??= String(fields?.["found"]);
    };
    this.pool = new ModelPool({
      model,
      settings,
      limits: { ...limits, maxInFlight: 1 },
      arena: this.#arena,
      startHost: (options, events) => {
        const host = startHost(options, events);
        this.#hosts.push(host);
        return host;
      },
      log: { warn },
    });
  }

  /** How the language of the model says things, for advice to its author. */
  get words(): Words {
    return this.pool.info.python === undefined ? TYPESCRIPT_WORDS : PYTHON_WORDS;
  }

  /** What in the state of a stream loses its methods when it is cloned; undefined: nothing was found. */
  get uncloned(): string | undefined {
    return this.#uncloned;
  }

  /** Resident memory of this process and of those that run the model, bytes. */
  get memory(): number {
    return residentBytes([process.pid, ...this.#hosts.flatMap(({ pid }) => pid ?? [])]);
  }

  /** Opens a lane for one channel of a new stream. */
  openLane(): Lane {
    return this.pool.lane({ caller: "", stream: {} }, undefined);
  }

  /** Calls the model. Resolves with the outcome; rejects with ChecksAborted after too many timeouts. */
  async call(lane: Lane, samples: Float32Array, job: Partial<AudioJob> = {}): Promise<Outcome> {
    if (this.#timeouts >= MAX_TIMEOUTS) throw new ChecksAborted(`${MAX_TIMEOUTS} calls timed out`);
    const audio = this.#store(samples);
    const outcome = await new Promise<Outcome>((settle) => {
      lane.submit({ kind: "final", start: 0, end: audio.length, audio, ...job }, settle);
      this.#arena.releaseSpan(audio);
    });
    if (outcome.status === "failed" && outcome.code === "inference_timeout") this.#timeouts++;
    return outcome;
  }

  /** Describes why a call gave no result. */
  describeFailure(outcome: Exclude<Outcome, Result>): string {
    if (outcome.status === "dropped") return "the call was dropped";
    switch (outcome.code) {
      case "inference_timeout":
        return `timeout: no result within ${this.#timeoutMs} ms (inference_timeout_ms); ${this.#timeoutEffect}`;
      case "model_unavailable":
        return outcome.message;
      case "worker_crashed":
        return `worker crashed: ${this.#crashCause || outcome.message}`;
      default:
        return `failed: ${outcome.message}`;
    }
  }

  get #timeoutEffect(): string {
    return this.pool.info.concurrency === undefined ? "the worker is replaced" : "the call is aborted";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }

  #store(samples: Float32Array): AudioSpan {
    const slabs: number[] = [];
    let index = OFFSET;
    for (let done = 0; done < samples.length; index = 0) {
      const slab = this.#takeSlab();
      const count = Math.min(Arena.SLAB_SAMPLES - index, samples.length - done);
      copySamples(samples, done, this.#arena.samples, slab * Arena.SLAB_SAMPLES + index, count);
      slabs.push(slab);
      done += count;
    }
    return { slabs, offset: OFFSET, length: samples.length };
  }

  #takeSlab(): number {
    const slab = this.#arena.take();
    if (slab < 0) throw new ChecksAborted("calls that timed out still hold all of the memory");
    return slab;
  }
}
