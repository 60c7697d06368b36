// Latency of well-behaved clients beside a noisy neighbour. Clients send 16 kHz mono to /api/v1/segmented in real time,
// alone and beside one neighbour of each kind; latency runs from the message with the deciding sample to the final
// result, model time included.
//
//   bun run bench noisy [--clients 10] [--seconds 20] [--rounds 3] [--workers 2] [--only greedy,mute]
//                       [-- --set key=value ...]
//
// Within a round the clients send the same audio in every row. Rows alternate; p50 and p99 are medians over the rounds,
// so a short burst of other work on the machine does not count. Neighbours run in a separate process.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { measurePaced, type PacedResult } from "./support/paced-clients.ts";
import { median, quantile } from "./support/statistics.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: "string", default: "10" },
    seconds: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    workers: { type: "string", default: "2" },
    only: { type: "string" },
  },
});

/** Takes as long as the simulated model, and kills its worker when a client requests that. */
const DEADLY_MODEL = `
  export default {
    name: "deadly",
    load: () => ({
      infer(audio, call) {
        if (call.options?.crash) process.exit(1);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20 + (10 * audio.length) / call.sampleRate);
        return { count: audio.length };
      },
    }),
  };`;

interface Row {
  readonly words: string;
  readonly neighbour?: string;
  readonly serve: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), "noisy-"));
await Bun.write(join(folder, "deadly.ts"), DEADLY_MODEL);
const further = (name: string, ...settings: string[]): string[] =>
  [`name=simulated`, "workers=1", ...settings].flatMap((each) => ["--set", `models.${name}.${each}`]);
const rows: Row[] = [
  { words: "alone", serve: [] },
  { words: "16 channels, not paced, bursts of 10-29 s", neighbour: "greedy", serve: [] },
  {
    words: "16 channels, not paced, reads nothing",
    neighbour: "mute",
    serve: further("quick", "delay=0", "constant_factor=0", "jitter=0"),
  },
  {
    words: "a model that kills its worker at every call",
    neighbour: "crashing",
    serve: further("bad", "delay=0", "panic_rate=1"),
  },
  {
    words: "kills the workers of the same model",
    neighbour: "deadly",
    serve: ["--model", join(folder, "deadly.ts")],
  },
];

printMachine();
const executable = await buildExecutable();
const only = values.only?.split(",");
const chosen = rows.filter(({ neighbour }) => neighbour === undefined || !only || only.includes(neighbour));
const results = new Map<Row, PacedResult[]>(chosen.map((row) => [row, []]));
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [row, measured] of results) {
      const serve = ["--workers", values.workers, ...row.serve, ...positionals];
      const run = { clients: Number(values.clients), seconds: Number(values.seconds), round };
      measured.push(await measurePaced({ executable, serve, neighbour: row.neighbour, ...run }));
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${values.clients} clients, ${values.workers} workers`);
console.log(
  "neighbour                                      finals  errors  p50 ms  p99 ms  max ms  p99 more than alone",
);
let alone = NaN;
for (const [row, measured] of results) {
  const all = measured.flatMap(({ latencies }) => latencies);
  const ofRounds = (share: number): number => median(measured.map(({ latencies }) => quantile(latencies, share)));
  const errors = measured.reduce((sum, result) => sum + result.errors, 0);
  const p99 = ofRounds(0.99);
  if (row.neighbour === undefined) alone = p99;
  const more = row.neighbour === undefined ? "" : `${p99 < alone ? "" : "+"}${(p99 - alone).toFixed(1)} ms`;
  const counts = [all.length, errors].map((count) => String(count).padStart(6)).join("  ");
  const figures = [ofRounds(0.5), p99, Math.max(...all)].map((ms) => ms.toFixed(1).padStart(6)).join("  ");
  console.log(`${row.words.padEnd(45)}  ${counts}  ${figures}  ${more.padStart(19)}`);
}
for (const [{ words }, measured] of results) {
  for (const { neighbour } of measured) if (neighbour) console.log(`${words}: ${neighbour}`);
}
