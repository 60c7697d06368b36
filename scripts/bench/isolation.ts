// Round trip of 0.5 s of audio to a worker thread and back, beside workers that are processes, in TypeScript and in Python.
// Goals: p50 at most 100 us to a process, and at most 300 us to Python.
//
//   bun run bench isolation
//
// They alternate within one run; quantiles are medians over the rounds. Calls a second are those of 8 channels that each
// send the next call when the last one has returned. Memory is what one more worker adds to the program and its processes
// (proportional set size).

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import { modelVariables } from "../../src/lib/model-variables.ts";
import { ModelPool } from "../../src/pool/pool.ts";
import { processHost } from "../../src/pool/process-host.ts";
import { pythonLaunch } from "../../src/pool/python-launch.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import type { StartHost } from "../../src/pool/worker-host.ts";
import { descendantsOf } from "../process-tree.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { median, quantile } from "./support/statistics.ts";

const SAMPLES = 8000;
const ROUNDS = 20;
const CALLS_PER_ROUND = 500;
const WARM_UP_ROUNDS = 2;
/** The first calls after a pause and a collection are slower. */
const WARM_UP_CALLS = 20;
const CHANNELS = 8;
const FLOOD_MS = 300;
/** Workers of the pools whose memory is measured. */
const MANY = 4;

const source = join(import.meta.dir, "../../src");
const command = [process.execPath, join(source, "main.ts"), "model-process"];
const print = ({ text }: { readonly text: string }): void => console.error(text);
const environment = modelVariables({});

/** Where a model runs that does nothing, and how. */
interface Place {
  readonly startHost: StartHost;
  readonly model: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

const simulated = { model: "simulated", settings: { delay: 0, constant_factor: 0, jitter: 0 } };
const python: Place = {
  startHost: processHost(({ model }) => pythonLaunch(model, "auto", environment), print),
  model: join(import.meta.dir, "support", "zero.py"),
  settings: {},
};
const PLACES: Readonly<Record<string, Place>> = {
  thread: { startHost: threadHost(new URL("../../src/worker.ts", import.meta.url)), ...simulated },
  process: { startHost: processHost(() => ({ command, environment }), print), ...simulated },
  ...(Bun.which("python3") !== null && { Python: python }),
};

const arena = new Arena(16);
const audio: AudioSpan = { slabs: [arena.take(), arena.take()], offset: 0, length: SAMPLES };

function openPool(place: Place, workers: number): ModelPool {
  return new ModelPool({
    ...place,
    limits: { workers, inferenceTimeoutMs: 10_000, maxInFlight: 1 },
    arena,
    log: { warn: console.error },
  });
}

/** One call at a time through a lane of its own. */
function caller(pool: ModelPool): () => Promise<void> {
  const lane = pool.lane({ caller: "", stream: {} }, undefined);
  return () =>
    new Promise<void>((resolve, reject) =>
      lane.submit({ kind: "final", start: 0, end: audio.length, audio }, ({ status }) =>
        status === "ok" ? resolve() : reject(new Error(status)),
      ),
    );
}

async function times(call: () => Promise<void>): Promise<number[]> {
  for (let warm = 0; warm < WARM_UP_CALLS; warm++) await call();
  const found: number[] = [];
  for (let n = 0; n < CALLS_PER_ROUND; n++) {
    const begun = performance.now();
    await call();
    found.push((performance.now() - begun) * 1000);
  }
  return found;
}

async function callsPerSecond(pool: ModelPool): Promise<number> {
  const begun = performance.now();
  let calls = 0;
  await Promise.all(
    Array.from({ length: CHANNELS }, async () => {
      const call = caller(pool);
      for (; performance.now() - begun < FLOOD_MS; calls++) await call();
    }),
  );
  return (calls * 1000) / (performance.now() - begun);
}

/** Returns the memory of this program and of the processes that it has started, MiB. */
function memory(): number {
  return [process.pid, ...descendantsOf(process.pid)].reduce((sum, pid) => {
    const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    return sum + Number(pss) / 1024;
  }, 0);
}

printMachine();
const memoryOf: Record<string, number> = {};
for (const [name, place] of Object.entries(PLACES)) {
  await using stack = new AsyncDisposableStack();
  const open = async (workers: number): Promise<number> => {
    const pool = openPool(place, workers);
    stack.defer(() => pool.close());
    await pool.ready;
    Bun.gc(true);
    await Bun.sleep(200);
    return memory();
  };
  const [one, more] = [await open(1), await open(MANY)];
  memoryOf[name] = (more - one) / MANY;
}

const pools = Object.entries(PLACES).map(([name, place]) => ({ name, pool: openPool(place, 1) }));
await Promise.all(pools.map(({ pool }) => pool.ready));
const callers = new Map(pools.map(({ name, pool }) => [name, caller(pool)]));
const rounds: Record<string, { p50: number[]; p99: number[]; calls: number[]; cpu: number[] }> = {};
for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
  for (const { name, pool } of pools) {
    const before = process.cpuUsage();
    const found = await times(callers.get(name)!);
    const used = process.cpuUsage(before);
    const calls = await callsPerSecond(pool);
    // The garbage of one case must not be collected in the time of the other.
    Bun.gc(true);
    await Bun.sleep(1);
    if (round < WARM_UP_ROUNDS) continue;
    const results = (rounds[name] ??= { p50: [], p99: [], calls: [], cpu: [] });
    results.p50.push(quantile(found, 0.5));
    results.p99.push(quantile(found, 0.99));
    results.calls.push(calls);
    results.cpu.push((used.user + used.system) / (CALLS_PER_ROUND + WARM_UP_CALLS));
  }
}
for (const [name, { p50, p99, calls, cpu }] of Object.entries(rounds)) {
  const latency = `p50 ${median(p50).toFixed(1)} us, p99 ${median(p99).toFixed(1)} us`;
  const rest = `${median(calls).toFixed(0)} calls a second, ${median(cpu).toFixed(1)} us of the program's processors`;
  console.log(`${name.padEnd(8)} ${latency}, ${rest}, ${memoryOf[name]?.toFixed(1)} MiB a worker`);
}
reportFigure("isolation/process_p50_us", median(rounds["process"]?.p50 ?? []));
if (rounds["Python"] !== undefined) reportFigure("isolation/python_p50_us", median(rounds["Python"].p50));
console.log("goals: p50 of a process at most 100 us, of Python at most 300 us");
await Promise.all(pools.map(({ pool }) => pool.close()));
process.exit(0);
