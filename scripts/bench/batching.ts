// Throughput gain of dynamic batching. A model takes the same time for a batch of eight as for one item; sessions send
// blocks to /api/v1/simple as fast as the server reads them. Goal: at least 6 times the results per second.
//
//   bun run bench batching [--sessions 8] [--channels 4] [--seconds 5] [--call 20] [--rounds 3]
//
// --call is the time of one call in milliseconds. Rounds with and without batching alternate; the medians are compared.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { generator, LOUD, noise, RATE } from "./support/bursts.ts";
import { printMachine } from "./support/machine.ts";
import { openSocket, ServerProcess } from "./support/server-process.ts";
import { sleeperModel } from "./support/sleeper-model.ts";
import { median } from "./support/statistics.ts";

const MAX_BATCH = 8;
const BLOCK_MS = 100;
const SETTLE_MS = 1000;
/** Bytes on the way to the server above which a sender pauses. */
const AHEAD = 256 * 1024;

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "8" },
    channels: { type: "string", default: "4" },
    seconds: { type: "string", default: "5" },
    call: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
  },
});
const [sessions, channels, seconds] = [Number(values.sessions), Number(values.channels), Number(values.seconds)];

/** Results a second of one run. */
async function measure(executable: string, file: string): Promise<number> {
  const settings = [`simple.block_ms=${BLOCK_MS}`, "model.workers=1", "limits.admission.load=1000"].flatMap((each) => [
    "--set",
    each,
  ]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", "--model", file, ...settings]);
  const sockets: WebSocket[] = [];
  try {
    let results = 0;
    for (let i = 0; i < sessions; i++) {
      const socket = await openSocket(`ws://${server.host}/api/v1/simple`);
      sockets.push(socket);
      const format = { channels, sample_rate: RATE, bit_depth: 16, is_float: false };
      socket.send(JSON.stringify({ request: "start", format }));
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(String(data)) as { type: string };
        if (event.type === "segment") results++;
        else if (event.type === "error") throw new Error(String(data));
      };
    }
    const sound = new Uint8Array(noise(generator(1), (RATE * BLOCK_MS * channels) / 1000, LOUD).buffer);
    const begun = performance.now();
    let [before, countedFrom] = [0, Infinity];
    for (let now = begun; now < begun + SETTLE_MS + seconds * 1000; now = performance.now()) {
      if (countedFrom === Infinity && now >= begun + SETTLE_MS) [before, countedFrom] = [results, now];
      for (const socket of sockets) while (socket.bufferedAmount < AHEAD) socket.send(sound);
      await Bun.sleep(1);
    }
    return ((results - before) * 1000) / (performance.now() - countedFrom);
  } finally {
    for (const socket of sockets) socket.terminate();
  }
}

printMachine();
const executable = await buildExecutable();
const folder = mkdtempSync(join(tmpdir(), "batching-"));
try {
  const rates = new Map<number, number[]>([1, MAX_BATCH].map((maxBatch) => [maxBatch, []]));
  for (const maxBatch of rates.keys()) {
    await Bun.write(join(folder, `batch-${maxBatch}.ts`), sleeperModel({ maxBatch, callMs: Number(values.call) }));
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [maxBatch, measured] of rates) {
      measured.push(await measure(executable, join(folder, `batch-${maxBatch}.ts`)));
    }
  }
  console.log(`${sessions} sessions of ${channels} channels, a call takes ${values.call} ms, one worker`);
  const [alone, together] = [...rates.values()].map(median) as [number, number];
  console.log(`one by one         ${alone.toFixed(1).padStart(7)} results a second`);
  console.log(`batches of ${MAX_BATCH}       ${together.toFixed(1).padStart(7)} results a second`);
  console.log(`gain               ${(together / alone).toFixed(2).padStart(7)} (goal: at least 6)`);
} finally {
  rmSync(folder, { recursive: true });
}
