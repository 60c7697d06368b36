// Well-behaved clients that send speech and pauses in real time, and the latency of their results, alone or beside a
// noisy neighbour.

import { join } from "node:path";

import { generator, LOUD, noise, QUIET, RATE } from "./bursts.ts";
import { openSocket, ServerProcess } from "./server-process.ts";

const MESSAGE_MS = 20;
const MIN_SILENCE_MS = 500;
/** Talk and pauses of the paced clients, ms. */
const [LEAST_MS, MOST_MS] = [1000, 3000];
const SETTLE_MS = 4000;
/** How often the paced clients send what is due. */
const TICK_MS = 1;

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
    address: string | undefined,
  ): Promise<PacedClient> {
    return new PacedClient(await openSocket(url, address), seed, onResult);
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

export interface PacedRun {
  readonly executable: string;
  /** Arguments of `streamer serve`. */
  readonly serve: readonly string[];
  readonly clients: number;
  /** Counted, after four to settle. */
  readonly seconds: number;
  /** Clients of the same round send the same audio. */
  readonly round: number;
  /** A kind of support/neighbour.ts; undefined: none. */
  readonly neighbour: string | undefined;
  /** The server sees another address for each client and for the neighbour; it must trust this machine as a proxy. */
  readonly addresses?: boolean;
}

export interface PacedResult {
  /** Milliseconds from the message with the deciding sample to the final result. */
  readonly latencies: number[];
  readonly errors: number;
  /** What the neighbour has done. */
  readonly neighbour: string;
}

export async function measurePaced(run: PacedRun): Promise<PacedResult> {
  await using server = await ServerProcess.start([run.executable, "serve", "--port", "0", ...run.serve]);
  const url = `ws://${server.host}`;
  const latencies: number[] = [];
  let [errors, counting] = [0, false];
  const clients: PacedClient[] = [];
  for (let i = 0; i < run.clients; i++) {
    const onResult = (latencyMs: number, isError: boolean): void => {
      if (isError) errors++;
      else if (counting) latencies.push(latencyMs);
    };
    const address = run.addresses ? `192.0.2.${i + 1}` : undefined;
    clients.push(await PacedClient.open(`${url}/api/v1/segmented`, 1000 * run.round + i + 1, onResult, address));
  }
  const stopNeighbour = run.neighbour && startNeighbour(run.neighbour, url, run.addresses ? "198.51.100.1" : undefined);
  const begun = performance.now();
  const end = begun + SETTLE_MS + run.seconds * 1000;
  for (let now = begun; now < end; now = performance.now()) {
    counting = now >= begun + SETTLE_MS;
    for (const client of clients) client.sendDue();
    await Bun.sleep(TICK_MS);
  }
  for (const client of clients) client.close();
  return { latencies, errors, neighbour: stopNeighbour ? await stopNeighbour() : "" };
}

/** Starts a neighbour. The returned function stops it and returns its report. */
function startNeighbour(kind: string, url: string, address?: string): () => Promise<string> {
  const script = join(import.meta.dir, "neighbour.ts");
  const neighbour = Bun.spawn([process.execPath, script, kind, url, ...(address === undefined ? [] : [address])], {
    stdout: "pipe",
  });
  return async () => {
    neighbour.kill();
    return (await neighbour.stdout.text()).trim();
  };
}
