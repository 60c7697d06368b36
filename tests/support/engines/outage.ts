import { readFileSync } from "node:fs";
import { join } from "node:path";

import { encode, noise } from "../audio.ts";
import type { Executable, ServeProcess } from "../executable.ts";
import { ledgerProblems, onlyStream } from "../ledgers.ts";
import { ScrapedMetrics } from "../scraped-metrics.ts";
import { waitUntil } from "../wait.ts";
import type { WebSocketClient } from "../websocket-client.ts";
import type { Triton } from "./triton.ts";

const RATE = 16_000;
/** Audio of one message. */
const MESSAGE_MS = 100;
/** Audio of one call. */
const PIECE_MS = 500;
/** Ticks of the processor times in /proc. */
const TICKS_PER_SECOND = 100;

export interface OutageOptions {
  /** Half of them without state, half with a state that travels with the requests. */
  readonly streams: number;
  readonly protocol: "oip-http" | "oip-grpc";
  /** Killed, and started again on the same ports; or stopped and continued, so that connections stay open. */
  readonly kind: "killed" | "frozen";
  /** Least time with the engine before, without it, and with it again. */
  readonly phaseMs: number;
}

/** What clients and the server saw of the time without an engine. */
export interface OutageReport {
  /** Sent, and those that no result and no error covers. */
  readonly samples: number;
  readonly missing: number;
  /** Contradictions in the ledgers and in the states of streams. */
  readonly problems: readonly string[];
  /** Pieces by what became of them: `ok`, or the code of the error. */
  readonly pieces: Readonly<Record<string, number>>;
  /** Calls of the engine by result, and retries. */
  readonly calls: Readonly<Record<string, number>>;
  readonly retries: number;
  /** Time from the start of the engine, or its continuation, to its own readiness, and to the first good answer, ms. */
  readonly readyMs: number;
  readonly answerMs: number;
  /** Messages that the server received, and the processor time that it used, before and while the engine was out. */
  readonly before: Effort;
  readonly out: Effort;
  /** Lines of the server's log. */
  readonly logged: number;
}

export interface Effort {
  readonly seconds: number;
  readonly messages: number;
  readonly processorSeconds: number;
}

/** Streams in real time to a server whose only engine goes away and comes back. */
export async function streamThroughOutage(
  executable: Executable,
  triton: Triton,
  options: OutageOptions,
): Promise<OutageReport> {
  await using server = await executable.serve({}, ["--config", await configFile(executable, triton, options)]);
  const clients = await Promise.all(Array.from({ length: options.streams }, (_, n) => connect(server, n)));
  const sender = new Sender(clients);
  const pause = (): Promise<void> => Bun.sleep(options.phaseMs);
  const meter = (): Effort => ({
    seconds: performance.now() / 1000,
    messages: sender.messages,
    processorSeconds: processorSeconds(server.pid),
  });

  await waitUntil("a result of each stream", () => clients.every((client) => client.eventsOf("segment").length > 0));
  const first = meter();
  await pause();
  const second = meter();
  if (options.kind === "killed") await triton.kill();
  else triton.freeze();
  await waitUntil("an error of each stream", () => clients.every((client) => client.eventsOf("error").length > 0));
  await pause();
  const third = meter();
  const begun = performance.now();
  const seen = clients.map((client) => client.eventsOf("segment").length);
  const resumed = (): number => clients.filter((client, n) => client.eventsOf("segment").length > seen[n]!).length;
  if (options.kind === "killed") triton.restart();
  else triton.thaw();
  const readyMs = triton.untilReady().then(() => performance.now() - begun);
  await waitUntil("a result after the outage", () => resumed() > 0);
  const answerMs = performance.now() - begun;
  await waitUntil("a result of each stream after the outage", () => resumed() === clients.length);
  await pause();
  await sender.stop();
  await Promise.all(clients.map((client) => client.waitForClose()));

  const streams = clients.map(({ events }) => onlyStream(events));
  const sent = { bytes: sender.bytes, frameBytes: 2 };
  const metrics = await ScrapedMetrics.from(server.url);
  return {
    samples: (sender.bytes / 2) * clients.length,
    missing: streams
      .flatMap(({ stopped }) => stopped.channels)
      .reduce((sum, ledger) => {
        return sum + sender.bytes / 2 - ledger.inferred - ledger.silent - ledger.failed;
      }, 0),
    problems: [
      ...streams.flatMap((stream) => ledgerProblems(stream, sent)),
      ...clients.flatMap((client) => stateProblems(client)),
    ],
    pieces: piecesOf(clients),
    calls: sums(metrics, "streamer_model_engine_requests_total", "result"),
    retries: Object.values(sums(metrics, "streamer_model_engine_retries_total", "reason")).reduce((a, b) => a + b, 0),
    readyMs: await readyMs,
    answerMs,
    before: difference(first, second),
    out: difference(second, third),
    logged: server.err.split("\n").length - 1,
  };
}

/** Sends to all clients at the pace of speech. */
class Sender {
  /** To all clients. */
  messages = 0;
  /** To each client. */
  bytes = 0;
  readonly #clients: readonly WebSocketClient[];
  readonly #running: Promise<void>;
  #isStopping = false;

  constructor(clients: readonly WebSocketClient[]) {
    this.#clients = clients;
    this.#running = this.#run();
  }

  /** Ends all streams, after a message that may be on its way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    for (const client of this.#clients) client.stop({ disconnect: true });
  }

  async #run(): Promise<void> {
    const message = encode("s16", noise(MESSAGE_MS / 1000, { rate: RATE, level: 0.1 }));
    const begun = performance.now();
    for (let sent = 0; !this.#isStopping; sent++) {
      await Bun.sleep(begun + sent * MESSAGE_MS - performance.now());
      await Promise.all(this.#clients.map((client) => client.sendAudio(message)));
      this.messages += this.#clients.length;
      this.bytes += message.length;
    }
  }
}

async function connect(server: ServeProcess, n: number): Promise<WebSocketClient> {
  const keepsState = n % 2 === 1;
  const client = await server.connect({ path: keepsState ? "/api/v1/stateful" : "/api/v1/simple" });
  client.start({
    format: { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false },
    ...(keepsState && { model: "stream" }),
  });
  return client;
}

async function configFile(executable: Executable, triton: Triton, options: OutageOptions): Promise<string> {
  const { protocol, streams } = options;
  const engine = {
    name: "remote",
    urls: [protocol === "oip-http" ? triton.http : triton.grpc],
    protocol,
    // All streams may have a call under way at once.
    concurrency: streams,
    timeout_ms: 1_000,
  };
  const file = join(executable.folder, `outage-${triton.httpPort}-${protocol}.json`);
  const config = {
    model: { ...engine, model: "loudness" },
    models: { stream: { ...engine, model: "loudness_stream", state: { tensors: { heard: "heard_next" } } } },
    simple: { block_ms: PIECE_MS },
    stateful: { block_ms: PIECE_MS },
  };
  await Bun.write(file, JSON.stringify(config));
  return file;
}

/** A state goes on from the last good answer: it has heard all pieces that have a result, and no other. */
function stateProblems(client: WebSocketClient): string[] {
  let heard = 0;
  return client.eventsOf("segment").flatMap(({ start_time, end_time, samples }) => {
    heard += Math.round((end_time - start_time) * RATE);
    return samples === undefined || samples === heard ? [] : [`the state has ${String(samples)} samples, not ${heard}`];
  });
}

function piecesOf(clients: readonly WebSocketClient[]): Record<string, number> {
  const pieces: Record<string, number> = {};
  for (const client of clients) {
    for (const event of client.events) {
      const kind = event.type === "segment" ? "ok" : event.type === "error" ? event.code : undefined;
      if (kind !== undefined) pieces[kind] = (pieces[kind] ?? 0) + 1;
    }
  }
  return pieces;
}

function sums(metrics: ScrapedMetrics, name: string, label: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { name: own, labels, value } of metrics.samples) {
    if (own === name) found[labels[label]!] = (found[labels[label]!] ?? 0) + value;
  }
  return found;
}

/** User and system time of a process with its threads. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function difference(from: Effort, to: Effort): Effort {
  return {
    seconds: to.seconds - from.seconds,
    messages: to.messages - from.messages,
    processorSeconds: to.processorSeconds - from.processorSeconds,
  };
}
