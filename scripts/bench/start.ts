// Time from the start of the executable until it is ready, and of `--help`.
//
//   bun run bench start [--times 20]
//
// Medians. The model is the simulated one without delay, on one worker. Goals: 60 ms, 30 ms.

import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { instantServer } from "./support/measure-streams.ts";
import { ServerProcess } from "./support/server-process.ts";
import { median } from "./support/statistics.ts";

const POLL_MS = 1;

const { values } = parseArgs({ options: { times: { type: "string", default: "20" } } });

async function ready(): Promise<number> {
  const begin = performance.now();
  await using server = await ServerProcess.start([executable, ...instantServer(["--set", "model.workers=1"])]);
  while (!(await fetch(`http://${server.host}/api/v1/ready`)).ok) await Bun.sleep(POLL_MS);
  return performance.now() - begin;
}

async function help(): Promise<number> {
  const begin = performance.now();
  await Bun.spawn([executable, "--help"], { stdout: "ignore", stderr: "ignore" }).exited;
  return performance.now() - begin;
}

printMachine();
const executable = await buildExecutable();
for (const [name, run] of Object.entries({ ready, help })) {
  const times: number[] = [];
  for (let n = 0; n < Number(values.times); n++) times.push(await run());
  console.log(`${name.padEnd(6)}${median(times).toFixed(1).padStart(7)} ms`);
  reportFigure(`start/${name}_ms`, median(times));
}
