// Streams of blocks to /api/v1/simple, and the time until each block has its result.

import { generator, LOUD, noise, RATE } from "./bursts.ts";
import { openSocket, ServerProcess } from "./server-process.ts";

/** Length of a block and of a message. */
export const BLOCK_MS = 100;
const SETTLE_MS = 500;
const TICK_MS = 1;

export interface BlockRun {
  readonly executable: string;
  /** Path of the model file. */
  readonly model: string;
  readonly streams: number;
  /** Counted, after half a second to settle. */
  readonly seconds: number;
  /**
   * `real-time`: a block every 100 ms from each stream, whatever the server does. `closed`: each stream sends its next
   * block when it has the result of the last one.
   */
  readonly pace: "real-time" | "closed";
  /** Default 1. */
  readonly workers?: number;
}

export interface BlockResult {
  readonly resultsPerSecond: number;
  /** Milliseconds from the time at which a block was due to its result. */
  readonly latencies: readonly number[];
  /** Calls of the model, batches among them. */
  readonly callsPerSecond: number;
}

/** Streams may ask the workers for more than these can do: otherwise they would be refused. */
const SETTINGS = [`simple.block_ms=${BLOCK_MS}`, "limits.admission.load=1000"];

/** Serves the model and measures. Throws when the server reports an error. */
export async function runBlocks({
  executable,
  model,
  streams,
  seconds,
  pace,
  workers = 1,
}: BlockRun): Promise<BlockResult> {
  const sets = [...SETTINGS, `model.workers=${workers}`].flatMap((each) => ["--set", each]);
  await using server = await ServerProcess.start([executable, "serve", "--port", "0", "--model", model, ...sets]);
  const draw = generator(1);
  const sound = new Uint8Array(noise(draw, (RATE * BLOCK_MS) / 1000, LOUD).buffer);
  const latencies: number[] = [];
  let isCounting = false;
  let callsBefore: Promise<number> | undefined;
  const sockets: WebSocket[] = [];
  const clients: { due: number; readonly send: (at: number) => void }[] = [];
  try {
    for (let i = 0; i < streams; i++) {
      const socket = await openSocket(`ws://${server.host}/api/v1/simple`);
      sockets.push(socket);
      const format = { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false };
      socket.send(JSON.stringify({ request: "start", format }));
      const sent: number[] = [];
      const send = (at: number): void => {
        sent.push(at);
        socket.send(sound);
      };
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(String(data)) as { type: string };
        if (event.type === "error") throw new Error(String(data));
        if (event.type !== "segment") return;
        const now = performance.now();
        if (isCounting) latencies.push(now - sent.shift()!);
        else sent.shift();
        if (pace === "closed") send(now);
      };
      clients.push({ due: 0, send });
    }
    const begun = performance.now();
    for (const client of clients) {
      if (pace === "closed") client.send(performance.now());
      else client.due = begun + draw() * BLOCK_MS;
    }
    const end = begun + SETTLE_MS + seconds * 1000;
    for (let now = begun; now < end; now = performance.now()) {
      isCounting = now >= begun + SETTLE_MS;
      if (isCounting) callsBefore ??= callsOf(server);
      if (pace === "real-time") {
        for (const client of clients) {
          for (; client.due <= now; client.due += BLOCK_MS) client.send(client.due);
        }
      }
      await Bun.sleep(TICK_MS);
    }
    isCounting = false;
    const calls = (await callsOf(server)) - ((await callsBefore) ?? NaN);
    return { resultsPerSecond: latencies.length / seconds, latencies, callsPerSecond: calls / seconds };
  } finally {
    for (const socket of sockets) socket.terminate();
  }
}

async function callsOf(server: ServerProcess): Promise<number> {
  const text = await (await fetch(`http://${server.host}/metrics`)).text();
  const counts = [...text.matchAll(/^streamer_inference_batch_size_count\{[^}]*\} (\d+)/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
