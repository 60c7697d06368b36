// Latency of real-time streams near the limit of the machine. The number of streams is a share of what the bare
// Bun.serve socket of the same run could carry on one core, or given.
//
//   bun run bench latency [--share 0.55] [--streams N] [--pattern segmented] [--seconds 10] [--rounds 1]
//                         [-- --set key=value ...]
//
// Without --streams, the socket is measured first with 2,000 streams, in every round. Printed are medians over the
// rounds: p50 and p99 of the final results, turns of the event loop of more than 20 ms of processor time, streams that
// were not served. Arguments after `--` go to `streamer serve`.

import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { instantServer, measureStreams, RAW_SINK, type StreamResult } from "./support/measure-streams.ts";
import { median, quantile } from "./support/statistics.ts";

/** Streams with which the bare socket is measured. */
const SINK_STREAMS = 2_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    share: { type: "string", default: "0.55" },
    streams: { type: "string" },
    pattern: { type: "string", default: "segmented" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "1" },
  },
});

printMachine();
const executable = await buildExecutable();
const streamer = { name: "streamer", command: [executable, ...instantServer(positionals)] };
const results: (StreamResult & { readonly streams: number })[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const run = { pattern: values.pattern, settle: 5, seconds: Number(values.seconds), sampleRate: 16_000 };
  let streams = Number(values.streams ?? NaN);
  if (values.streams === undefined) {
    const { cpuMs } = await measureStreams(RAW_SINK, { ...run, streams: SINK_STREAMS }, executable);
    streams = Math.round((Number(values.share) * 1000) / cpuMs);
    console.log(`bare socket: ${Math.round(1000 / cpuMs)} streams a core`);
  }
  results.push({ ...(await measureStreams(streamer, { ...run, streams }, executable)), streams });
}
const of = (pick: (result: (typeof results)[number]) => number): number => median(results.map(pick));
const figures = {
  streams: of(({ streams }) => streams),
  p50_ms: of(({ delays }) => quantile(delays, 0.5)),
  p99_ms: of(({ delays }) => quantile(delays, 0.99)),
  message_us: of(({ messageUs }) => messageUs),
  long_turns: of(({ longTurns }) => longTurns),
  not_served: of(({ streams, served }) => streams - served),
  late: of(({ late }) => late),
  rss_mib: of(({ rssMib }) => rssMib),
};
for (const [name, value] of Object.entries(figures)) {
  console.log(`${name.padEnd(11)}${value.toFixed(1).padStart(10)}`);
  reportFigure(`latency/${name}`, value);
}
