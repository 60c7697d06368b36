import { join } from "node:path";

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import { modelVariables } from "../../src/lib/model-variables.ts";
import type { JobFailure, Outcome } from "../../src/model/job.ts";
import { copySamples } from "../../src/native/samples.ts";
import type { AudioJob, Lane } from "../../src/pool/lane.ts";
import type { Launch } from "../../src/pool/launch.ts";
import type { ModelPoolOptions, PoolLimits } from "../../src/pool/pool-options.ts";
import { ModelPool } from "../../src/pool/pool.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import type { WorkerDeathCause } from "../../src/telemetry/metrics/model-metrics.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { waitUntil } from "./wait.ts";

export const workerUrl = new URL("../../src/worker.ts", import.meta.url);
/** Command line of a process that runs a model. */
export const modelCommand = [process.execPath, join(import.meta.dir, "../../src/main.ts"), "model-process"];

export function modelPath(name: string): string {
  return join(import.meta.dir, "models", `${name}.ts`);
}

/** Returns the program of a process that runs a model. */
export function launchProcess(): Launch {
  return { command: modelCommand, environment: modelVariables({}) };
}

/** Writes samples to the arena, from the 11th sample of a slab. The slabs have one reference each. */
export function writeSpan(arena: Arena, samples: ArrayLike<number>): AudioSpan {
  const offset = 10;
  const slabs: number[] = [];
  for (let at = 0, index = offset; at < samples.length; index = 0) {
    const slab = arena.take();
    if (slab < 0) throw new Error("the test's arena is full");
    slabs.push(slab);
    const part = Float32Array.from(samples).subarray(at, at + Arena.SLAB_SAMPLES - index);
    copySamples(part, 0, arena.samples, slab * Arena.SLAB_SAMPLES + index, part.length);
    at += part.length;
  }
  return { slabs, offset, length: samples.length };
}

/** Options of a pool, its limits among them. */
export interface TestPoolOptions extends Partial<PoolLimits>, Partial<Omit<ModelPoolOptions, "limits">> {
  readonly model: string;
}

/** A pool, by default with a real worker, and what it logged and counted. */
export class TestPool {
  readonly arena = new Arena(64);
  readonly logged: { event: string; fields: Record<string, unknown> | undefined }[] = [];
  readonly pool: ModelPool;
  readonly #metrics = new ServerMetrics();

  constructor({ workers, inferenceTimeoutMs, loadTimeoutMs, maxInFlight, maxStreams, ...options }: TestPoolOptions) {
    const record = (event: string, fields?: Record<string, unknown>): void => void this.logged.push({ event, fields });
    this.pool = new ModelPool({
      settings: {},
      limits: {
        workers: workers ?? 1,
        inferenceTimeoutMs: inferenceTimeoutMs ?? 10_000,
        maxInFlight: maxInFlight ?? 4,
        ...(loadTimeoutMs !== undefined && { loadTimeoutMs }),
        ...(maxStreams !== undefined && { maxStreams }),
      },
      arena: this.arena,
      startHost: threadHost(workerUrl),
      log: { warn: record },
      metrics: () => this.#metrics.model("test"),
      ...options,
    });
  }

  /** Workers that crashed: that ended by themselves after they had been ready. */
  get crashes(): number {
    return this.deaths("error") + this.deaths("exit");
  }

  deaths(cause: WorkerDeathCause): number {
    return this.#metrics.families.workers.deaths.with({ model: "test", cause }).value;
  }

  /** Memory of the workers that are processes, as the metrics have it, bytes. */
  get processBytes(): number {
    this.#metrics.registry.collect();
    return this.#metrics.families.workers.memory.with({ model: "test" }).value;
  }

  failures(code: JobFailure): number {
    return this.#metrics.families.inference.failures.with({ model: "test", code }).value;
  }

  /** Opens a lane. Lanes of one `stream` share its turns. */
  lane(options?: unknown, stream: object = {}): Lane {
    return this.pool.lane({ caller: "test", stream }, options);
  }

  /** Submits audio that is written to the arena for it. The lane then has the only reference. */
  submit(lane: Lane, samples: ArrayLike<number>, job: Partial<AudioJob> = {}): Promise<Outcome> {
    const audio = writeSpan(this.arena, samples);
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    let settled = false;
    let inside = true;
    lane.submit({ kind: "final", start: 0, end: audio.length, audio, ...job }, (outcome) => {
      if (settled) reject(new Error("settled twice"));
      if (inside) reject(new Error("settled inside submit"));
      settled = true;
      resolve(outcome);
    });
    inside = false;
    this.arena.releaseSpan(audio);
    return promise;
  }

  /** Waits until the condition holds. */
  until(condition: () => boolean): Promise<void> {
    return waitUntil("the state of the pool", condition);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }
}

/** Returns a pool that is ready. */
export async function testPool(options: TestPoolOptions): Promise<TestPool> {
  const kit = new TestPool(options);
  await kit.pool.ready;
  return kit;
}
