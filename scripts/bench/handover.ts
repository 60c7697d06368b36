/** Hands 0.5 s of audio to a worker and waits for its answer: through the pool, samples in shared memory, against a message that
 *  holds a copy of them. Both in turns within one run, since machines are noisy. `bun scripts/bench/handover.ts` */
import { Arena } from "../../src/audio/arena.ts";
import type { AudioSpan } from "../../src/audio/store.ts";
import { ModelPool } from "../../src/pool/pool.ts";

const SAMPLES = 8000;
const ROUNDS = 40;
const CALLS_PER_ROUND = 500;
const WARM_UP_ROUNDS = 2;
/** The first calls after a pause and a collection are slower, with either way. */
const WARM_UP_CALLS = 20;

const arena = new Arena(16);
const pool = new ModelPool({
  model: "simulated",
  settings: { delay: 0, constant_factor: 0, jitter: 0 },
  workers: 1,
  inferenceTimeoutMs: 10_000,
  maxInFlight: 1,
  arena,
  workerUrl: new URL("../../src/worker.ts", import.meta.url),
  log: { warn: console.error },
});
await pool.ready;
const lane = pool.lane({}, undefined);
const audio: AudioSpan = { slabs: [arena.take(), arena.take()], offset: 0, length: SAMPLES };

const copying = new Worker(new URL("copying-worker.ts", import.meta.url));
let answered = (): void => {};
copying.onmessage = () => answered();

const ways = {
  "shared memory": () =>
    new Promise<void>((resolve, reject) =>
      lane.submit({ kind: "final", start: 0, end: audio.length, audio }, ({ status }) =>
        status === "ok" ? resolve() : reject(new Error(status)),
      ),
    ),
  copying: () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      // A copy of its own, as the samples lie in memory that is used again.
      copying.postMessage({ call: 1, audio: arena.samples.slice(0, SAMPLES) });
    }),
};

const quantile = (values: number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)]!;
};

/** Quantiles of each round, microseconds. */
const rounds: Record<string, { p50: number[]; p99: number[] }> = {};
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  for (const [name, handOver] of Object.entries(ways)) {
    for (let call = 0; call < WARM_UP_CALLS; call++) await handOver();
    const times: number[] = [];
    for (let call = 0; call < CALLS_PER_ROUND; call++) {
      const begun = performance.now();
      await handOver();
      times.push((performance.now() - begun) * 1000);
    }
    // One way's garbage is not to be charged to the other.
    Bun.gc(true);
    await Bun.sleep(1);
    if (round < WARM_UP_ROUNDS) continue;
    const results = (rounds[name] ??= { p50: [], p99: [] });
    results.p50.push(quantile(times, 0.5));
    results.p99.push(quantile(times, 0.99));
  }
}

// The median of the rounds, so that a neighbour's burst of work does not count.
const p99: Record<string, number> = {};
for (const [name, results] of Object.entries(rounds)) {
  p99[name] = quantile(results.p99, 0.5);
  console.log(`${name.padEnd(14)} p50 ${quantile(results.p50, 0.5).toFixed(1)} us, p99 ${p99[name].toFixed(1)} us`);
}
const ratio = p99["shared memory"]! / p99["copying"]!;
console.log(`p99 shared / copying ${ratio.toFixed(2)} (goal: at most 0.33; p50 of shared memory at most 30 us)`);
await pool.close();
copying.terminate();
