// Three times what a server carries: what those get who are admitted, how the others are refused, and whether the
// server recovers. Streams of real speech, on one server for all three runs of a case.
//
//   bun run bench overload [--only memory,calls,processor,full,starving] [--seconds 10] [--scale 1]
//
// Cases: `memory` (limits.arena_mb 16), `calls` (a model of 50 ms on one worker, /simple), `processor` (instant model,
// 6,000 streams), `full` (memory, with admission off: streams have to be ended), `starving` (four connections that speak
// in 16 channels and one that flushes in a loop, beside streams in a small memory). Each runs at capacity, at three
// times the capacity (`starving`: with the attack), and at capacity again. --scale multiplies the numbers of streams,
// for another machine.
//
// Goal: those inside keep their p99 within twice that at capacity (`full`, `starving`: within 100 ms), refusals take at most 100 ms (p99), the last run is
// like the first, and the capacity in the metrics is what is admitted, within 15 %. The exit code is 1 when a case
// misses it.

import { join } from "node:path";
import { parseArgs } from "node:util";

import { runPlan } from "../../src/commands/bench/parts.ts";
import { type Percentiles, summarise, type Summary } from "../../src/commands/bench/summary.ts";
import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { ServerProcess } from "./support/server-process.ts";
import { speechPlan } from "./support/speech-plan.ts";

const GOAL_RATIO = 2;
const GOAL_REFUSAL_MS = 100;
const GOAL_METRIC = 0.15;
/** A p99 below this is not a sign of overload, whatever the ratio. */
const FLOOR_MS = 20;
/** The same when streams have to be ended, or hostile clients use the processor, too. */
const HOSTILE_FLOOR_MS = 100;

interface Case {
  readonly pattern: string;
  /** Streams that the server carries with room to spare. */
  readonly capacity: number;
  readonly settings: readonly string[];
  /** The resource of `streamer_capacity_streams` that limits. */
  readonly resource?: string;
  /** Streams are not refused, but have to be ended. */
  readonly sheds?: boolean;
  /** The crowd is five hostile connections. */
  readonly starved?: boolean;
}

const INSTANT = ["model.delay=0", "model.constant_factor=0", "model.jitter=0"];
const SMALL = [...INSTANT, "limits.arena_mb=16"];
const CASES: Readonly<Record<string, Case>> = {
  memory: { pattern: "segmented", capacity: 120, settings: SMALL, resource: "memory" },
  calls: {
    pattern: "simple",
    capacity: 8,
    settings: ["model.delay=0.05", "model.constant_factor=0", "model.jitter=0", "model.workers=1"],
    resource: "workers",
  },
  processor: { pattern: "segmented", capacity: 2_000, settings: INSTANT, resource: "event_loop" },
  full: { pattern: "segmented", capacity: 120, settings: [...SMALL, "limits.admission.arena=1"], sheds: true },
  starving: { pattern: "segmented", capacity: 40, settings: SMALL, starved: true },
};

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    seconds: { type: "string", default: "10" },
    scale: { type: "string", default: "1" },
  },
});

interface Run extends Summary {
  /** `streamer_capacity_streams` of the resource that limits, when counting ends. */
  readonly metric: number | undefined;
}

async function run(server: ServerProcess, { pattern, resource }: Case, streams: number): Promise<Run> {
  const addr = `ws://${server.host}/api/v1/${pattern}`;
  const plan = speechPlan({ addr, streams, ramp: 3, settle: 4, seconds: Number(values.seconds), timeout: 15 });
  let metric: Promise<number | undefined> | undefined;
  const counting = (): void => void (metric = resource === undefined ? undefined : capacityMetric(server, resource));
  const result = await runPlan(plan, [executable], { counting });
  const summary = summarise(result, { cpuSeconds: undefined, rssBytes: server.rssMib * 1024 ** 2 });
  return { ...summary, metric: await metric };
}

async function capacityMetric(server: ServerProcess, resource: string): Promise<number | undefined> {
  const text = await (await fetch(`http://${server.host}/metrics`)).text();
  const [, value] = new RegExp(`^streamer_capacity_streams\\{resource="${resource}"\\} (\\S+)`, "m").exec(text) ?? [];
  return value === undefined ? undefined : Number(value);
}

/** A second process with five hostile connections, for as long as it is not disposed of. */
function starve(server: ServerProcess): Disposable {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "support", "starver.ts"), `ws://${server.host}`], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return { [Symbol.dispose]: () => child.kill() };
}

function print(name: string, streams: number, run: Run): void {
  const { streams: counts, latency, refusals, errors, server, problems, metric } = run;
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
    (metric?.toFixed(0) ?? "-").padStart(8),
  ];
  console.log(cells.join("  "));
  for (const [label, list] of Object.entries({ refusals, errors, problems })) {
    if (Object.keys(list).length > 0) console.log(`${" ".repeat(12)}${label}: ${JSON.stringify(list)}`);
  }
}

/** Returns what misses a goal. */
function missed([before, over, after]: readonly [Run, Run, Run], { sheds, starved }: Case): string[] {
  const p99 = (summary: Summary): number => summary.latency.final?.p99 ?? Infinity;
  const floor = sheds || starved ? HOSTILE_FLOOR_MS : FLOOR_MS;
  const limit = Math.max(floor, GOAL_RATIO * p99(before));
  const found: string[] = [];
  if (p99(over) > limit) found.push(`p99 of those inside: ${p99(over)} ms, more than ${limit}`);
  const refusal = over.latency.refusal?.p99 ?? 0;
  if (refusal > GOAL_REFUSAL_MS) found.push(`p99 of the refusals: ${refusal} ms`);
  if (over.streams.stopped < over.streams.admitted) found.push("admitted streams were lost without a word");
  const failed = Object.keys(over.problems).filter((text) => !text.startsWith("overloaded"));
  if (failed.length > 0 || (!sheds && Object.keys(over.problems).length > 0)) found.push("admitted streams failed");
  if (over.metric !== undefined && Math.abs(over.metric / over.streams.admitted - 1) > GOAL_METRIC) {
    found.push(`capacity in the metrics: ${over.metric.toFixed(0)}, admitted: ${over.streams.admitted}`);
  }
  if (p99(after) > limit) found.push(`p99 afterwards: ${p99(after)} ms, more than ${limit}`);
  if (after.streams.stopped < after.streams.offered) found.push("streams were refused or lost afterwards");
  return found;
}

printMachine();
const executable = await buildExecutable();
console.log("run         streams  admitted  final p50 / p99 ms  refused  refusal p99  rss MiB  lost  capacity");
for (const name of values.only?.split(",") ?? Object.keys(CASES)) {
  const tried = CASES[name];
  if (tried === undefined) throw new Error(`unknown case ${name}; known: ${Object.keys(CASES).join(", ")}`);
  const streams = Math.max(1, Math.round(tried.capacity * Number(values.scale)));
  const sets = tried.settings.flatMap((setting) => ["--set", setting]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", ...sets]);
  console.log(name);
  const measure = async (label: string, count: number): Promise<Run> => {
    const result = await run(server, tried, count);
    print(label, count, result);
    return result;
  };
  const before = await measure("  capacity", streams);
  let over: Run;
  {
    using _ = tried.starved ? starve(server) : undefined;
    over = await measure(tried.starved ? "  attacked" : "  3 times", tried.starved ? streams : 3 * streams);
  }
  const found = missed([before, over, await measure("  again", streams)], tried);
  if (found.length > 0) process.exitCode = 1;
  console.log(found.length === 0 ? "  met" : found.map((text) => `  not met: ${text}`).join("\n"));
}
