/** Hands 0.5 s of audio to a worker and waits for its answer: through the pool, samples in shared memory, against a message that
 *  holds a copy of them. Both in turns within one run, since machines are noisy: compare the ratio. `bun scripts/bench/handover.ts` */
import { Arena } from "../../src/audio/arena.ts";
import type { AudioSpan } from "../../src/audio/store.ts";
import { ModelPool } from "../../src/model/pool.ts";

const SAMPLES = 8000;
const ROUNDS = 60;
const CALLS_PER_ROUND = 200;
const WARM_UP_ROUNDS = 5;

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
      lane.submit({ kind: "final", audio }, ({ status }) => (status === "ok" ? resolve() : reject(new Error(status)))),
    ),
  copying: () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      // A copy of its own, as the samples lie in memory that is used again.
      copying.postMessage({ call: 1, audio: arena.samples.slice(0, SAMPLES) });
    }),
};

const times: Record<string, number[]> = {};
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  for (const [name, handOver] of Object.entries(ways)) {
    for (let call = 0; call < CALLS_PER_ROUND; call++) {
      const begun = performance.now();
      await handOver();
      if (round >= WARM_UP_ROUNDS) (times[name] ??= []).push((performance.now() - begun) * 1000);
    }
    await Bun.sleep(1);
  }
}

const quantile = (sorted: number[], share: number): number => sorted[Math.floor((sorted.length - 1) * share)]!;
const results: Record<string, { p50: number; p99: number }> = {};
for (const [name, each] of Object.entries(times)) {
  each.sort((a, b) => a - b);
  results[name] = { p50: quantile(each, 0.5), p99: quantile(each, 0.99) };
  console.log(`${name.padEnd(14)} p50 ${results[name].p50.toFixed(1)} us, p99 ${results[name].p99.toFixed(1)} us`);
}
const [shared, copied] = [results["shared memory"]!, results["copying"]!];
console.log(
  `p99 shared / copying ${(shared.p99 / copied.p99).toFixed(2)} (goal: at most 0.33; p50 of shared memory at most 30 us)`,
);
await pool.close();
copying.terminate();
