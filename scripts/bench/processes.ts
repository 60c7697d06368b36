// Cost of several processes: processor time a message of one and of two, in turn, with real-time streams of real speech.
//
//   bun run bench processes [--streams 1000] [--seconds 10] [--rounds 1]
//
// The processor time is that of all processes. Goal: with two at most 1.1 times that of one, the median over the rounds.

import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { type Case, instantServer, measureStreams, type StreamResult } from "./support/measure-streams.ts";
import { median, quantile } from "./support/statistics.ts";

/** Seconds in which each process compiles its own code. */
const SETTLE = 20;

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "1000" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "1" },
  },
});

printMachine();
const executable = await buildExecutable();
// `/metrics` of several processes is on the address for operators only.
const of = (processes: number): Case => ({
  name: `${processes}`,
  command: [executable, ...instantServer(["--processes", String(processes)])],
});
const [one, two] = [of(1), of(2)];
const streams = Number(values.streams);
const run = { pattern: "segmented", streams, settle: SETTLE, seconds: Number(values.seconds), sampleRate: 16_000 };
const results: { readonly one: StreamResult; readonly two: StreamResult }[] = [];
for (let round = 0; round < Number(values.rounds); round++) {
  results.push({ one: await measureStreams(one, run, executable), two: await measureStreams(two, run, executable) });
}
for (const name of ["one", "two"] as const) {
  const us = median(results.map((result) => result[name].messageUs));
  const p99 = median(results.map((result) => quantile(result[name].delays, 0.99)));
  console.log(`${name} ${us.toFixed(1)} us a message, p99 ${p99.toFixed(1)} ms`);
  reportFigure(`processes/${name}_us`, us);
}
const ratio = median(results.map((result) => result.two.messageUs / result.one.messageUs));
console.log(`two / one: ${ratio.toFixed(3)}`);
reportFigure("processes/ratio", ratio);
