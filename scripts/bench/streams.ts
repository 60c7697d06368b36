// Processor time and latency of real-time streams of real speech, with the load generator of `streamer bench`. The
// processor time of the server comes from /proc, the latency from its results.
//
//   bun run bench streams [--streams 100,500,1000] [--seconds 10] [--settle 4] [--rounds 1] [--against FILE]
//                         [--traces 0.01,1] [--pattern segmented] [--rate 16000,48000] [-- --set key=value ...]
//
// Each count is measured with Streamer and with a bare Bun.serve socket. --against adds another build of Streamer, and
// prints the ratio of the processor times of each round; --traces adds Streamer with that share of its streams traced
// and exported to a sink; each rate after the first adds Streamer with streams of that rate. /metrics is scraped every
// five seconds. Cases alternate within a round; the medians over the rounds are printed. --settle is the seconds before
// counting starts. Arguments after `--` go to `streamer serve`.

import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { type Case, instantServer, measureStreams, RAW_SINK, type StreamResult } from "./support/measure-streams.ts";
import { ServerProcess } from "./support/server-process.ts";
import { median, quantile } from "./support/statistics.ts";

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
const [firstRate = NaN, ...otherRates] = values.rate.split(",").map(Number);

interface RatedCase extends Case {
  /** Hz. */
  readonly sampleRate: number;
}

function cases(sink: ServerProcess | undefined): RatedCase[] {
  const serve = instantServer(positionals);
  const shares = sink === undefined ? [] : values.traces.split(",");
  const ofRate = (sampleRate: number) => (each: Case) => ({ ...each, sampleRate });
  return [
    RAW_SINK,
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
  ]
    .map(ofRate(firstRate))
    .concat(otherRates.map((rate) => ofRate(rate)({ name: `${rate} Hz`, command: [executable, ...serve] })));
}

function printRow(streams: number, name: string, results: readonly StreamResult[]): void {
  const of = (pick: (result: StreamResult) => number): number => median(results.map(pick));
  const cpuMs = of((result) => result.cpuMs);
  const delay = (share: number): number => of((result) => quantile(result.delays, share));
  const cells = [
    String(streams).padStart(7),
    name.padEnd(11),
    of(({ messageUs }) => messageUs)
      .toFixed(1)
      .padStart(13),
    (1000 / cpuMs).toFixed(0).padStart(16),
    (name === "raw" ? "-" : `${delay(0.5).toFixed(1)} / ${delay(0.99).toFixed(1)}`).padStart(25),
    of(({ rssMib }) => rssMib)
      .toFixed(0)
      .padStart(7),
    of(({ late }) => late)
      .toFixed(0)
      .padStart(4),
  ];
  console.log(cells.join("  "));
  reportFigure(
    `${name}/message_us`,
    of(({ messageUs }) => messageUs),
  );
  reportFigure(`${name}/streams_a_core`, 1000 / cpuMs);
  reportFigure(`${name}/p99_ms`, delay(0.99));
  reportFigure(
    `${name}/long_turns`,
    of(({ longTurns }) => longTurns),
  );
}

/** Prints the processor time of Streamer as a multiple of another case's, computed within each round. */
function printRatio(streams: number, name: string, ours: readonly StreamResult[], theirs: readonly StreamResult[]) {
  const ratios = ours.map(({ cpuMs }, round) => cpuMs / theirs[round]!.cpuMs);
  const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  const middle = `median ${median(ratios).toFixed(3)} of ${ratios.length} rounds`;
  console.log(`${String(streams).padStart(7)}  ${name}: ${middle}, ${range}`);
  reportFigure(name, median(ratios));
}

printMachine();
const executable = await buildExecutable();
const sink =
  values.traces === ""
    ? undefined
    : await ServerProcess.start([process.execPath, join(import.meta.dir, "support", "trace-sink.ts")]);
try {
  const all = cases(sink);
  console.log("streams  server       us a message  streams per core  final result p50 / p99 ms  rss MiB  late");
  for (const streams of values.streams.split(",").map(Number)) {
    const results = new Map<string, StreamResult[]>(all.map(({ name }) => [name, []]));
    const run = { pattern: values.pattern, streams, settle: Number(values.settle), seconds: Number(values.seconds) };
    for (let round = 0; round < rounds; round++) {
      // The order alternates, so that a slow drift of the machine does not always meet the same case.
      for (const each of round % 2 === 0 ? all : all.toReversed()) {
        results.get(each.name)!.push(await measureStreams(each, { ...run, sampleRate: each.sampleRate }, executable));
      }
    }
    for (const [name, measured] of results) printRow(streams, name, measured);
    const ours = results.get("streamer")!;
    for (const other of ["raw", "against"]) {
      const theirs = results.get(other);
      if (theirs !== undefined) printRatio(streams, `streamer / ${other}`, ours, theirs);
    }
    for (const rate of otherRates)
      printRatio(streams, `${rate} Hz / ${firstRate} Hz`, results.get(`${rate} Hz`)!, ours);
  }
} finally {
  await sink?.[Symbol.asyncDispose]();
}
