// Processor time and latency of real-time streams of real speech, with the load generator of `streamer bench`. The
// processor time of the server comes from /proc, the latency from its results.
//
//   bun run bench streams [--streams 100,500,1000] [--seconds 10] [--settle 4] [--rounds 1] [--against FILE]
//                         [--traces 0.01,1] [--pattern segmented] [--rate 16000] [-- --set key=value ...]
//
// Each count is measured with Streamer and with a bare Bun.serve socket. --against adds another build of Streamer, and
// prints the ratio of the processor times of each round; --traces adds Streamer with that share of its streams traced
// and exported to a sink. /metrics is scraped every five seconds. Cases alternate within a round; the medians over the
// rounds are printed. --settle is the seconds before counting starts. Arguments after `--` go to `streamer serve`.

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { runPlan } from "../../src/commands/bench/parts.ts";
import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { ServerProcess } from "./support/server-process.ts";
import { speechPlan } from "./support/speech-plan.ts";
import { median, quantile } from "./support/statistics.ts";

interface Case {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: "string", default: "100,500,1000" },
    seconds: { type: "string", default: "10" },
    settle: { type: "string", default: "4" },
    rounds: { type: "string", default: "1" },
    against: { type: "string" },
    traces: { type: "string", default: "" },
    pattern: { type: "string", default: "segmented" },
    rate: { type: "string", default: "16000" },
  },
});
const rounds = Number(values.rounds);

/** Seconds in which the streams connect. */
const RAMP = 2;
const TIMEOUT = 10;
/** The interval of a Prometheus that scrapes often. */
const SCRAPE_MS = 5_000;

interface Result {
  /** Milliseconds of the server's processor time for a second of one stream. */
  readonly cpuMs: number;
  /** Milliseconds from the message with the deciding sample to the final result. */
  readonly delays: readonly number[];
  readonly rssMib: number;
  /** Messages that the generator sent more than the time of one message late. */
  readonly late: number;
}

function cases(sink: ServerProcess | undefined): Case[] {
  const instant = ["delay", "constant_factor", "jitter"].flatMap((key) => ["--set", `model.${key}=0`]);
  const serve = ["serve", "--port", "0", ...instant, ...positionals];
  const shares = sink === undefined ? [] : values.traces.split(",");
  return [
    { name: "raw", command: [process.execPath, join(import.meta.dir, "support", "raw-socket.ts")] },
    ...(values.against === undefined ? [] : [{ name: "against", command: [resolve(values.against), ...serve] }]),
    { name: "streamer", command: [executable, ...serve] },
    ...shares.map((share) => ({
      name: `traces ${share}`,
      command: [executable, ...serve],
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${sink?.host}`,
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: share,
      },
    })),
  ];
}

async function measure({ command, env }: Case, streams: number): Promise<Result> {
  await using server = await ServerProcess.start(command, env);
  const scrape = async (): Promise<string> => await (await fetch(`http://${server.host}/metrics`)).text();
  // The first scrape loads modules, which is not part of the cost of a scrape.
  await scrape();
  const scrapes = setInterval(() => void scrape(), SCRAPE_MS);
  const readings: { cpuMs: number; at: number }[] = [];
  try {
    const plan = speechPlan({
      addr: `ws://${server.host}/api/v1/${values.pattern}`,
      streams,
      ramp: RAMP,
      settle: Number(values.settle),
      seconds: Number(values.seconds),
      timeout: TIMEOUT,
      sampleRate: Number(values.rate),
    });
    const { tally } = await runPlan(plan, [executable], {
      counting: () => readings.push({ cpuMs: server.cpuMs, at: performance.now() }),
    });
    const [begin, end] = [readings[0]!, readings[1]!];
    const streamSeconds = (streams * (end.at - begin.at)) / 1000;
    return {
      cpuMs: (end.cpuMs - begin.cpuMs) / streamSeconds,
      delays: tally.finals,
      rssMib: server.rssMib,
      late: tally.late,
    };
  } finally {
    clearInterval(scrapes);
  }
}

function printRow(streams: number, name: string, results: readonly Result[]): void {
  const of = (pick: (result: Result) => number): number => median(results.map(pick));
  const cpuMs = of((result) => result.cpuMs);
  const delays = [0.5, 0.99].map((share) => of((result) => quantile(result.delays, share)).toFixed(1)).join(" / ");
  const cells = [
    String(streams).padStart(7),
    name.padEnd(11),
    cpuMs.toFixed(3).padStart(24),
    (1000 / cpuMs).toFixed(0).padStart(16),
    (name === "raw" ? "-" : delays).padStart(25),
    of(({ rssMib }) => rssMib)
      .toFixed(0)
      .padStart(7),
    of(({ late }) => late)
      .toFixed(0)
      .padStart(4),
  ];
  console.log(cells.join("  "));
}

/** Prints the processor time of Streamer as a share of that of the other build, computed within each round. */
function printRatio(streams: number, ours: readonly Result[], theirs: readonly Result[]): void {
  const ratios = ours.map(({ cpuMs }, round) => cpuMs / theirs[round]!.cpuMs);
  const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  const middle = `median ${median(ratios).toFixed(3)} of ${ratios.length} rounds`;
  console.log(`${String(streams).padStart(7)}  streamer / against: ${middle}, ${range}`);
}

printMachine();
const executable = await buildExecutable();
const sink =
  values.traces === ""
    ? undefined
    : await ServerProcess.start([process.execPath, join(import.meta.dir, "support", "trace-sink.ts")]);
try {
  const all = cases(sink);
  console.log(
    "streams  server       cpu ms per stream second  streams per core  final result p50 / p99 ms  rss MiB  late",
  );
  for (const streams of values.streams.split(",").map(Number)) {
    const results = new Map<string, Result[]>(all.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      // The order alternates, so that a slow drift of the machine does not always meet the same case.
      for (const each of round % 2 === 0 ? all : all.toReversed()) {
        results.get(each.name)!.push(await measure(each, streams));
      }
    }
    for (const [name, measured] of results) printRow(streams, name, measured);
    const against = results.get("against");
    if (against !== undefined) printRatio(streams, results.get("streamer")!, against);
  }
} finally {
  await sink?.[Symbol.asyncDispose]();
}
