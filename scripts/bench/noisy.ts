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
import { generator, LOUD, noise, QUIET, RATE } from "./support/bursts.ts";
import { printMachine } from "./support/machine.ts";
import { openSocket, ServerProcess } from "./support/server-process.ts";
import { median, quantile } from "./support/statistics.ts";

const MESSAGE_MS = 20;
const MIN_SILENCE_MS = 500;
/** Talk and pauses of the paced clients, ms. */
const [LEAST_MS, MOST_MS] = [1000, 3000];
const SETTLE_MS = 4000;
/** How often the paced clients send what is due. */
const TICK_MS = 1;

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
  { words: "16 channels, not paced, utterances of 10-29 s", neighbour: "greedy", serve: [] },
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

const sounds = { loud: messages(LOUD), quiet: messages(QUIET) };

function messages(peak: number): Uint8Array[] {
  const draw = generator(peak);
  const samples = (RATE * MESSAGE_MS) / 1000;
  return Array.from({ length: 100 }, () => new Uint8Array(noise(draw, samples, peak).buffer));
}

/** A client that sends speech and pauses in real time and reports the latency of each result. */
class PacedClient {
  readonly #socket: WebSocket;
  readonly #draw: () => number;
  readonly #sentAt: number[] = [];
  readonly #begun: number;
  #loud = false;
  #left: number;

  static async open(
    url: string,
    seed: number,
    onResult: (latencyMs: number, isError: boolean) => void,
  ): Promise<PacedClient> {
    return new PacedClient(await openSocket(url), seed, onResult);
  }

  private constructor(socket: WebSocket, seed: number, onResult: (latencyMs: number, isError: boolean) => void) {
    this.#socket = socket;
    this.#draw = generator(seed);
    this.#begun = performance.now() + this.#draw() * MESSAGE_MS;
    this.#left = this.#stretch();
    const format = { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false };
    socket.send(JSON.stringify({ request: "start", format, vad: { min_silence_ms: MIN_SILENCE_MS } }));
    let inactive = 0;
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as { type: string; time: number };
      if (event.type === "inactive") inactive = event.time;
      if (event.type !== "segment" && event.type !== "error") return;
      // The deciding sample is in the message that ends at or after it.
      const message = Math.ceil((inactive * 1000 + MIN_SILENCE_MS) / MESSAGE_MS - 1e-6);
      onResult(performance.now() - (this.#sentAt[message - 1] ?? NaN), event.type === "error");
    };
  }

  sendDue(): void {
    while (performance.now() >= this.#begun + this.#sentAt.length * MESSAGE_MS) {
      const from = this.#loud ? sounds.loud : sounds.quiet;
      this.#socket.send(from[this.#sentAt.length % from.length]!);
      this.#sentAt.push(performance.now());
      if (--this.#left > 0) continue;
      this.#loud = !this.#loud;
      this.#left = this.#stretch();
    }
  }

  close(): void {
    this.#socket.terminate();
  }

  #stretch(): number {
    return Math.round((LEAST_MS + this.#draw() * (MOST_MS - LEAST_MS)) / MESSAGE_MS);
  }
}

interface Result {
  readonly latencies: number[];
  readonly errors: number;
  readonly neighbour: string;
}

async function measure(executable: string, row: Row, round: number): Promise<Result> {
  const command = [executable, "serve", "--port", "0", "--workers", values.workers, ...row.serve, ...positionals];
  await using server = await ServerProcess.start(command);
  const url = `ws://${server.host}`;
  const latencies: number[] = [];
  let [errors, counting] = [0, false];
  const clients: PacedClient[] = [];
  for (let i = 0; i < Number(values.clients); i++) {
    const onResult = (latencyMs: number, isError: boolean): void => {
      if (isError) errors++;
      else if (counting) latencies.push(latencyMs);
    };
    clients.push(await PacedClient.open(`${url}/api/v1/segmented`, 1000 * round + i + 1, onResult));
  }
  const stopNeighbour = row.neighbour && startNeighbour(row.neighbour, url);
  const begun = performance.now();
  const end = begun + SETTLE_MS + Number(values.seconds) * 1000;
  for (let now = begun; now < end; now = performance.now()) {
    counting = now >= begun + SETTLE_MS;
    for (const client of clients) client.sendDue();
    await Bun.sleep(TICK_MS);
  }
  for (const client of clients) client.close();
  return { latencies, errors, neighbour: stopNeighbour ? await stopNeighbour() : "" };
}

/** Starts a neighbour. The returned function stops it and returns its report. */
function startNeighbour(kind: string, url: string): () => Promise<string> {
  const script = join(import.meta.dir, "support", "neighbour.ts");
  const neighbour = Bun.spawn([process.execPath, script, kind, url], { stdout: "pipe" });
  return async () => {
    neighbour.kill();
    return (await neighbour.stdout.text()).trim();
  };
}

printMachine();
const executable = await buildExecutable();
const only = values.only?.split(",");
const chosen = rows.filter(({ neighbour }) => neighbour === undefined || !only || only.includes(neighbour));
const results = new Map<Row, Result[]>(chosen.map((row) => [row, []]));
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [row, measured] of results) measured.push(await measure(executable, row, round));
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
