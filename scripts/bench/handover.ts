// Round trip of 0.5 s of audio to a worker and back. The pool, which leaves the samples in shared memory, is compared
// with a message that carries a copy of them. Goals: p50 at most 30 us, p99 at most a third of that of copying. A message
// without audio is the floor of both: it has only the time in which the two threads wake each other.
//
//   bun run bench handover
//
// They alternate within one run; quantiles are medians over the rounds.

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import { viewOf } from "../../src/native/samples.ts";
import { ModelPool } from "../../src/pool/pool.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { median, quantile } from "./support/statistics.ts";

const SAMPLES = 8000;
const ROUNDS = 40;
const CALLS_PER_ROUND = 500;
const WARM_UP_ROUNDS = 2;
/** The first calls after a pause and a collection are slower in both cases. */
const WARM_UP_CALLS = 20;
const NOTHING = new Float32Array();

printMachine();
const arena = new Arena(16);
const pool = new ModelPool({
  model: "simulated",
  settings: { delay: 0, constant_factor: 0, jitter: 0 },
  limits: { workers: 1, inferenceTimeoutMs: 10_000, maxInFlight: 1 },
  arena,
  startHost: threadHost(new URL("../../src/worker.ts", import.meta.url)),
  log: { warn: console.error },
});
await pool.ready;
const lane = pool.lane({ caller: "", stream: {} }, undefined);
const audio: AudioSpan = { slabs: [arena.take(), arena.take()], offset: 0, length: SAMPLES };

const copying = new Worker(new URL("support/copying-worker.ts", import.meta.url));
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
      // A copy, because the arena reuses the memory of the samples.
      copying.postMessage({ call: 1, audio: viewOf(arena.samples, 0, SAMPLES).slice() });
    }),
  "no audio": () =>
    new Promise<void>((resolve) => {
      answered = resolve;
      copying.postMessage({ call: 1, audio: NOTHING });
    }),
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
    // The garbage of one case must not be collected in the time of the other.
    Bun.gc(true);
    await Bun.sleep(1);
    if (round < WARM_UP_ROUNDS) continue;
    const results = (rounds[name] ??= { p50: [], p99: [] });
    results.p50.push(quantile(times, 0.5));
    results.p99.push(quantile(times, 0.99));
  }
}

// Medians of the rounds, so that a short burst of other work on the machine does not count.
const p99: Record<string, number> = {};
for (const [name, results] of Object.entries(rounds)) {
  p99[name] = median(results.p99);
  console.log(`${name.padEnd(14)} p50 ${median(results.p50).toFixed(1)} us, p99 ${p99[name].toFixed(1)} us`);
}
const ratio = p99["shared memory"]! / p99["copying"]!;
console.log(`p99 no audio / copying ${(p99["no audio"]! / p99["copying"]!).toFixed(2)}`);
console.log(`p99 shared / copying ${ratio.toFixed(2)} (goal: at most 0.33; p50 of shared memory at most 30 us)`);
reportFigure("handover/p99_ratio", ratio);
await pool.close();
copying.terminate();
