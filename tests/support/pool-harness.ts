import { join } from "node:path";

import { Arena } from "../../src/audio/arena.ts";
import type { Outcome } from "../../src/model/job.ts";
import type { AudioJob, Lane } from "../../src/pool/lane.ts";
import type { ModelPoolOptions } from "../../src/pool/pool.ts";
import { ModelPool } from "../../src/pool/pool.ts";

export const workerUrl = new URL("../../src/worker.ts", import.meta.url);

export function modelPath(name: string): string {
  return join(import.meta.dir, "models", `${name}.ts`);
}

/** A pool with real workers, and what it logged. */
export class TestPool {
  readonly arena = new Arena(64);
  readonly logged: { event: string; fields: Record<string, unknown> | undefined }[] = [];
  readonly pool: ModelPool;

  constructor(options: Partial<ModelPoolOptions> & { model: string }) {
    const record = (event: string, fields?: Record<string, unknown>): void => void this.logged.push({ event, fields });
    this.pool = new ModelPool({
      settings: {},
      workers: 1,
      inferenceTimeoutMs: 10_000,
      maxInFlight: 4,
      arena: this.arena,
      workerUrl,
      log: { warn: record },
      ...options,
    });
  }

  /** Submits audio that is written to the arena for it, and gives up its own hold on it at once. */
  submit(lane: Lane, samples: ArrayLike<number>, job: Partial<AudioJob> = {}): Promise<Outcome> {
    const audio = this.write(samples);
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
    for (const slab of audio.slabs) this.arena.release(slab);
    return promise;
  }

  /** A span that starts 10 samples into its first slab. */
  write(samples: ArrayLike<number>): AudioJob["audio"] {
    const offset = 10;
    const slabs: number[] = [];
    for (let i = 0; i < samples.length; i++) {
      const place = (offset + i) % Arena.SLAB_SAMPLES;
      if (i === 0 || place === 0) {
        const slab = this.arena.take();
        if (slab < 0) throw new Error("the test's arena is full");
        slabs.push(slab);
      }
      this.arena.samples[slabs.at(-1)! * Arena.SLAB_SAMPLES + place] = samples[i]!;
    }
    return { slabs, offset, length: samples.length };
  }

  /** Until what must follow has followed; the test's own time limit ends a wait for what never comes. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await Bun.sleep(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }
}

/** The pool when it is ready. */
export async function testPool(options: Partial<ModelPoolOptions> & { model: string }): Promise<TestPool> {
  const kit = new TestPool(options);
  await kit.pool.ready;
  return kit;
}
