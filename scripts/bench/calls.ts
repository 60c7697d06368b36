// Calls a second through the pool alone: no sockets, no decoding, blocks of 100 ms from many lanes. Goal: 60,000 a
// second with two workers and a model that does nothing, and workers that are busy for at least 97 % of the time with a
// model that takes 20 ms, beside an occupied main thread.
//
//   bun run bench calls [--workers 2] [--lanes 500] [--seconds 3] [--rounds 5] [--call 20] [--turn 5]
//
// The last case occupies the main thread in turns of --turn milliseconds, as many sessions would. Rounds of all cases
// alternate; the medians are printed.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Arena, type AudioSpan } from "../../src/audio/arena.ts";
import type { Lane } from "../../src/pool/lane.ts";
import { ModelPool } from "../../src/pool/pool.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { median } from "./support/statistics.ts";

const BLOCK_SAMPLES = 1600;
/** Blocks of one lane that wait or run at once. */
const LANE_DEPTH = 4;
const SETTLE_MS = 500;
const NANOSECONDS_PER_MS = 1e6;

const { values } = parseArgs({
  options: {
    workers: { type: "string", default: "2" },
    lanes: { type: "string", default: "500" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    call: { type: "string", default: "20" },
    turn: { type: "string", default: "5" },
  },
});
const [workers, lanes, callMs] = [Number(values.workers), Number(values.lanes), Number(values.call)];

/** A model that blocks its thread; 0 ms: that does nothing. */
const model = (ms: number): string => `
  const cell = new Int32Array(new SharedArrayBuffer(4));
  export default {
    name: "sleeper",
    load: () => ({ infer: (audio) => { ${ms > 0 ? `Atomics.wait(cell, 0, 0, ${ms});` : ""} return { count: audio.length }; } }),
  };`;

interface Case {
  readonly name: string;
  readonly model: string;
  /** Milliseconds for which the main thread does something else at a time; 0: nothing else. */
  readonly turnMs: number;
}

interface Result {
  readonly callsPerSecond: number;
  /** Share of the workers' time within the model. */
  readonly busy: number;
  /** Microseconds of processor time for a call: of the main thread, and of all threads. */
  readonly mainUs: number;
  readonly allUs: number;
}

/** Milliseconds that the main thread has run. */
function mainThreadMs(): number {
  const [ran = ""] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ");
  return Number(ran) / NANOSECONDS_PER_MS;
}

function allThreadsMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Submits a block of a lane again and again. */
function keepBusy(lane: Lane, audio: AudioSpan, count: (inferMs: number) => void): void {
  const submit = (): void => {
    lane.submit({ kind: "final", start: 0, end: audio.length, audio }, (outcome) => {
      if (outcome.status === "failed") throw new Error(outcome.message);
      if (outcome.status !== "ok") return;
      count(outcome.inferMs);
      submit();
    });
  };
  for (let i = 0; i < LANE_DEPTH; i++) submit();
}

async function measure({ model: file, turnMs }: Case): Promise<Result> {
  const arena = new Arena(1024);
  const log = { warn: (event: string) => void console.error(event) };
  const limits = { workers, maxInFlight: LANE_DEPTH, inferenceTimeoutMs: 30_000 };
  const startHost = threadHost(new URL("../../src/worker.ts", import.meta.url));
  const pool = new ModelPool({ model: file, settings: {}, limits, arena, startHost, log });
  await pool.ready;
  let [calls, inferMs] = [0, 0];
  for (let i = 0; i < lanes; i++) {
    const audio = { slabs: [arena.take()], offset: 100, length: BLOCK_SAMPLES };
    const lane = pool.lane({ caller: `caller ${i}`, stream: {} }, undefined);
    keepBusy(lane, audio, (ms) => {
      calls++;
      inferMs += ms;
    });
  }
  let occupied = turnMs > 0;
  const occupy = (): void => {
    for (const until = performance.now() + turnMs; performance.now() < until;);
    if (occupied) setImmediate(occupy);
  };
  if (occupied) occupy();
  await Bun.sleep(SETTLE_MS);
  const begin = { calls, inferMs, at: performance.now(), mainMs: mainThreadMs(), allMs: allThreadsMs() };
  await Bun.sleep(Number(values.seconds) * 1000);
  const [counted, elapsed] = [calls - begin.calls, performance.now() - begin.at];
  const result = {
    callsPerSecond: (counted * 1000) / elapsed,
    busy: (inferMs - begin.inferMs) / (elapsed * workers),
    mainUs: ((mainThreadMs() - begin.mainMs) * 1000) / counted,
    allUs: ((allThreadsMs() - begin.allMs) * 1000) / counted,
  };
  occupied = false;
  await pool.close();
  return result;
}

printMachine();
const folder = mkdtempSync(join(tmpdir(), "calls-"));
try {
  const file = (ms: number): string => join(folder, `sleeps-${ms}.ts`);
  for (const ms of [0, callMs]) await Bun.write(file(ms), model(ms));
  const cases: Case[] = [
    { name: "does nothing", model: file(0), turnMs: 0 },
    { name: `${callMs} ms`, model: file(callMs), turnMs: 0 },
    { name: `${callMs} ms, main thread occupied`, model: file(callMs), turnMs: Number(values.turn) },
  ];
  const results = new Map<Case, Result[]>(cases.map((each) => [each, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const each of cases) results.get(each)!.push(await measure(each));
  }
  console.log(`${workers} workers, ${lanes} lanes, medians of ${values.rounds} rounds`);
  console.log("model                         calls a second  workers busy  main thread us a call  all threads");
  for (const [{ name }, measured] of results) {
    const of = (pick: (result: Result) => number): number => median(measured.map(pick));
    const cells = [
      name.padEnd(28),
      of(({ callsPerSecond }) => callsPerSecond)
        .toFixed(0)
        .padStart(14),
      `${(of(({ busy }) => busy) * 100).toFixed(1)} %`.padStart(12),
      of(({ mainUs }) => mainUs)
        .toFixed(1)
        .padStart(21),
      of(({ allUs }) => allUs)
        .toFixed(1)
        .padStart(11),
    ];
    console.log(cells.join("  "));
  }
  const [nothing, , occupied] = [...results.values()] as [Result[], Result[], Result[]];
  reportFigure("calls/per_second", median(nothing.map(({ callsPerSecond }) => callsPerSecond)));
  reportFigure("calls/busy_percent", 100 * median(occupied.map(({ busy }) => busy)));
} finally {
  rmSync(folder, { recursive: true });
}
