// Three times what a server carries: what those get who are admitted, how the others are refused, and whether the
// server recovers. Streams of real speech, on one server for all three runs of a case.
//
//   bun run bench overload [--only memory,calls,processor] [--seconds 10] [--scale 1]
//
// Cases: `memory` (limits.arena_mb 16), `calls` (a model of 50 ms on one worker, /simple), `processor` (instant model,
// 6,000 streams). Each runs at capacity, at three times the capacity, and at capacity again. --scale multiplies the
// numbers of streams, for another machine. Goal: admitted streams keep their p99 within twice that at capacity,
// refusals take at most 100 ms (p99), and the last run is like the first. The exit code is 1 when a case misses it.

import { parseArgs } from "node:util";

import { runPlan } from "../../src/commands/bench/parts.ts";
import { type Percentiles, summarise, type Summary } from "../../src/commands/bench/summary.ts";
import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { ServerProcess } from "./support/server-process.ts";
import { speechPlan } from "./support/speech-plan.ts";

const GOAL_RATIO = 2;
const GOAL_REFUSAL_MS = 100;
/** A p99 below this is not a sign of overload, whatever the ratio. */
const FLOOR_MS = 20;

interface Case {
  readonly pattern: string;
  /** Streams that the server carries with room to spare. */
  readonly capacity: number;
  readonly settings: readonly string[];
}

const INSTANT = ["model.delay=0", "model.constant_factor=0", "model.jitter=0"];
const CASES: Readonly<Record<string, Case>> = {
  memory: { pattern: "segmented", capacity: 120, settings: [...INSTANT, "limits.arena_mb=16"] },
  calls: {
    pattern: "simple",
    capacity: 8,
    settings: ["model.delay=0.05", "model.constant_factor=0", "model.jitter=0", "model.workers=1"],
  },
  processor: { pattern: "segmented", capacity: 2_000, settings: [...INSTANT, "limits.max_sessions=10000"] },
};

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seconds: { type: "string", default: "10" },
    scale: { type: "string", default: "1" },
  },
});

async function run(server: ServerProcess, pattern: string, streams: number): Promise<Summary> {
  const addr = `ws://${server.host}/api/v1/${pattern}`;
  const plan = speechPlan({ addr, streams, ramp: 3, settle: 4, seconds: Number(values.seconds), timeout: 15 });
  const result = await runPlan(plan, [executable], {});
  return summarise(result, { cpuSeconds: undefined, rssBytes: server.rssMib * 1024 ** 2 }, plan.countMs);
}

function print(
  name: string,
  streams: number,
  { streams: counts, latency, refusals, errors, server, problems }: Summary,
) {
  const of = (values: Percentiles | null, key: "p50" | "p99"): string => values?.[key].toFixed(1) ?? "-";
  const cells = [
    name.padEnd(10),
    String(streams).padStart(7),
    String(counts.admitted).padStart(8),
    `${of(latency.final, "p50")} / ${of(latency.final, "p99")}`.padStart(18),
    String(counts.refused).padStart(7),
    of(latency.refusal, "p99").padStart(11),
    ((server.rss_bytes ?? 0) / 1024 ** 2).toFixed(0).padStart(7),
    String(counts.admitted - counts.stopped).padStart(4),
  ];
  console.log(cells.join("  "));
  for (const [label, list] of Object.entries({ refusals, errors, problems })) {
    if (Object.keys(list).length > 0) console.log(`${" ".repeat(12)}${label}: ${JSON.stringify(list)}`);
  }
}

/** Returns what misses a goal. */
function missed(before: Summary, over: Summary, after: Summary): string[] {
  const p99 = (summary: Summary): number => summary.latency.final?.p99 ?? Infinity;
  const limit = Math.max(FLOOR_MS, GOAL_RATIO * p99(before));
  const found: string[] = [];
  if (p99(over) > limit) found.push(`p99 of those admitted: ${p99(over)} ms, more than ${limit}`);
  const refusal = over.latency.refusal?.p99 ?? 0;
  if (refusal > GOAL_REFUSAL_MS) found.push(`p99 of the refusals: ${refusal} ms`);
  if (over.streams.stopped < over.streams.admitted) found.push("admitted streams were lost");
  if (p99(after) > limit) found.push(`p99 afterwards: ${p99(after)} ms, more than ${limit}`);
  if (after.streams.stopped < after.streams.offered) found.push("streams were refused or lost afterwards");
  return found;
}

printMachine();
const executable = await buildExecutable();
console.log("run         streams  admitted  final p50 / p99 ms  refused  refusal p99  rss MiB  lost");
for (const name of values.only?.split(",") ?? Object.keys(CASES)) {
  const { pattern, capacity, settings } = CASES[name]!;
  const streams = Math.max(1, Math.round(capacity * Number(values.scale)));
  const sets = settings.flatMap((setting) => ["--set", setting]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", ...sets]);
  console.log(name);
  const summaries: Summary[] = [];
  for (const [label, count] of [
    ["  capacity", streams],
    ["  3 times", 3 * streams],
    ["  again", streams],
  ] as const) {
    const summary = await run(server, pattern, count);
    print(label, count, summary);
    summaries.push(summary);
  }
  const [before, over, after] = summaries as [Summary, Summary, Summary];
  const found = missed(before, over, after);
  if (found.length > 0) process.exitCode = 1;
  console.log(found.length === 0 ? "  met" : found.map((text) => `  not met: ${text}`).join("\n"));
}
