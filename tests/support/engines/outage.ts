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
/** Time after which a start that was refused is sent again. */
const RETRY_MS = 200;
/** Longest time until the metrics of a model are those of its last call. */
const METRICS_MS = 1_500;
/** Ticks of the processor times in /proc. */
const TICKS_PER_SECOND = 100;

/** Where the state of a stream is: there is none, it travels with the requests, or the engine keeps it. */
const STATES = ["none", "tensors", "sequence"] as const;
type StateKind = (typeof STATES)[number];

/** Killed, and started again on the same ports; or stopped and continued, so that connections stay open. */
export type OutageKind = "killed" | "frozen";

export type Protocol = "oip-http" | "oip-grpc";

export interface OutageOptions {
  /** With each protocol in turn, and each kind of state. */
  readonly streams: number;
  readonly protocols: readonly Protocol[];
  /** One after the other. */
  readonly outages: readonly OutageKind[];
  /** Least time with the engine before an outage, and without it. */
  readonly phaseMs: number;
  /** Further settings of the models. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** What clients and the server saw of the times without an engine. */
export interface OutageReport {
  /** Sent, and those that no result and no error covers. */
  readonly samples: number;
  readonly missing: number;
  /** Contradictions in the ledgers and in the states of streams. */
  readonly problems: readonly string[];
  /** Calls of the engine by result, and retries. */
  readonly calls: Readonly<Record<string, number>>;
  readonly retries: number;
  /** Lines of the server's log. */
  readonly logged: number;
  readonly outages: readonly Outage[];
}

export interface Outage {
  readonly kind: OutageKind;
  /** Pieces by what became of them: `ok`, or the code of the error. */
  readonly pieces: Readonly<Record<string, number>>;
  /** Time from the start of the engine, or its continuation, to its own readiness, to the first result, and to all, ms. */
  readonly readyMs: number;
  readonly firstMs: number;
  readonly allMs: number;
  /** With the engine, and without it. */
  readonly before: Effort;
  readonly out: Effort;
}

/** Messages that the server received in a time, and the processor time that it used. */
export interface Effort {
  readonly seconds: number;
  readonly messages: number;
  readonly processorSeconds: number;
}

/** Streams in real time to a server whose only engine goes away and comes back. */
export async function streamThroughOutages(
  executable: Executable,
  triton: Triton,
  options: OutageOptions,
): Promise<OutageReport> {
  await using server = await executable.serve({}, ["--config", await configFile(executable, triton, options)]);
  const clients = await Promise.all(
    Array.from({ length: options.streams }, (_, n) => connect(server, n, options.protocols)),
  );
  const sender = new Sender(clients);
  const load: Load = { server, triton, clients, sender };
  const outages: Outage[] = [];
  for (const kind of options.outages) outages.push(await goThrough(kind, load, options.phaseMs));
  await sender.stop();
  await Promise.all(clients.map((client) => client.waitForClose()));

  const streams = clients.map(({ events }) => onlyStream(events));
  const ledgers = streams.flatMap(({ stopped }) => stopped.channels);
  const sent = { bytes: sender.bytes, frameBytes: 2 };
  // Workers report once a second.
  await Bun.sleep(METRICS_MS);
  const metrics = await ScrapedMetrics.from(server.url);
  return {
    samples: (sender.bytes / 2) * clients.length,
    missing: ledgers.reduce((sum, each) => sum + sender.bytes / 2 - each.inferred - each.silent - each.failed, 0),
    problems: [
      ...streams.flatMap((stream) => ledgerProblems(stream, sent)),
      ...clients.flatMap((client, n) => stateProblems(client, stateOf(n, options.protocols))),
    ],
    calls: sums(metrics, "streamer_model_engine_requests_total", "result"),
    retries: total(sums(metrics, "streamer_model_engine_retries_total", "reason")),
    logged: server.err.split("\n").length - 1,
    outages,
  };
}

interface Load {
  readonly server: ServeProcess;
  readonly triton: Triton;
  readonly clients: readonly WebSocketClient[];
  readonly sender: Sender;
}

async function goThrough(
  kind: OutageKind,
  { server, triton, clients, sender }: Load,
  phaseMs: number,
): Promise<Outage> {
  const counts = (type: "segment" | "error"): number[] => clients.map((client) => client.eventsOf(type).length);
  /** Returns how many streams have an event that they did not have. */
  const newOnes = (type: "segment" | "error", before: readonly number[]): number =>
    counts(type).filter((count, n) => count > before[n]!).length;
  const until = (what: string, condition: () => boolean | Promise<boolean>): Promise<void> =>
    waitUntil(what, () => {
      const ended = clients.find(({ closed }) => closed !== undefined);
      if (ended === undefined) return condition();
      throw new Error(
        `a connection ended before ${what}: ${JSON.stringify([ended.closed, ...ended.events.slice(-3)])}`,
      );
    });
  /** As `until`, with an engine that should run. */
  const untilServed = (what: string, condition: () => boolean): Promise<void> =>
    until(what, async () => {
      await triton.revive();
      return condition();
    });
  const meter = (): Effort => ({
    seconds: performance.now() / 1000,
    messages: sender.messages,
    processorSeconds: processorSeconds(server.pid),
  });
  const pieces = piecesOf(clients);

  await untilServed(
    "a result of each stream",
    () =>
      newOnes(
        "segment",
        clients.map(() => 0),
      ) === clients.length,
  );
  const first = meter();
  await Bun.sleep(phaseMs);
  const second = meter();
  const failed = counts("error");
  if (kind === "killed") await triton.kill();
  else triton.freeze();
  await until("an error of each stream", () => newOnes("error", failed) === clients.length);
  await Bun.sleep(phaseMs);
  const third = meter();

  const begun = performance.now();
  const elapsed = (): number => performance.now() - begun;
  const answered = counts("segment");
  if (kind === "killed") triton.restart();
  else triton.thaw();
  const ready = waitUntil("the engine to be ready", () => triton.isReady()).then(elapsed);
  await untilServed("a result after the outage", () => newOnes("segment", answered) > 0);
  const firstMs = elapsed();
  const silent = () => clients.filter((client, n) => client.eventsOf("segment").length === answered[n]!);
  try {
    await untilServed("a result of each stream after it", () => silent().length === 0);
  } catch (error) {
    const last = silent().map(({ events }) => events.slice(-4));
    throw new Error(`${kind}: ${String(error)}: ${JSON.stringify(last)}`, { cause: error });
  }
  const allMs = elapsed();
  return {
    kind,
    pieces: grown(pieces, piecesOf(clients)),
    readyMs: await ready,
    firstMs,
    allMs,
    before: difference(first, second),
    out: difference(second, third),
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
      // A connection that has ended is found by those who wait for its events.
      await Promise.allSettled(this.#clients.map((client) => client.sendAudio(message)));
      this.messages += this.#clients.length;
      this.bytes += message.length;
    }
  }
}

async function connect(server: ServeProcess, n: number, protocols: readonly Protocol[]): Promise<WebSocketClient> {
  const protocol = protocols[n % protocols.length]!;
  const state = stateOf(n, protocols);
  const client = await server.connect({ path: state === "none" ? "/api/v1/simple" : "/api/v1/stateful" });
  // On a busy machine, the inference that tries the engine may take too long at first.
  await waitUntil("the start of a stream", async () => {
    const refusals = client.eventsOf("error").length;
    client.start({ model: `${protocol}-${state}` });
    await waitUntil("the answer to a start", () => {
      return client.eventsOf("started").length > 0 || client.eventsOf("error").length > refusals;
    });
    if (client.eventsOf("started").length > 0) return true;
    await Bun.sleep(RETRY_MS);
    return false;
  });
  return client;
}

function stateOf(n: number, protocols: readonly Protocol[]): StateKind {
  return STATES[Math.floor(n / protocols.length) % STATES.length]!;
}

async function configFile(executable: Executable, triton: Triton, options: OutageOptions): Promise<string> {
  const models = options.protocols.flatMap((protocol) => {
    const engine = {
      name: "remote",
      urls: [protocol === "oip-http" ? triton.http : triton.grpc],
      protocol,
      // All streams may have a call under way at once.
      concurrency: options.streams,
      timeout_ms: 1_000,
      ...options.settings,
    };
    return [
      [`${protocol}-none`, { ...engine, model: "loudness" }],
      [`${protocol}-tensors`, { ...engine, model: "loudness_stream", state: { tensors: { heard: "heard_next" } } }],
      [
        `${protocol}-sequence`,
        { ...engine, model: "loudness_sequence", state: { sequence: true }, max_streams_per_worker: options.streams },
      ],
    ];
  });
  const file = join(executable.folder, `outage-${triton.httpPort}.json`);
  const config = {
    model: { name: "levels" },
    models: Object.fromEntries(models) as object,
    simple: { block_ms: PIECE_MS },
    stateful: { block_ms: PIECE_MS },
  };
  await Bun.write(file, JSON.stringify(config));
  return file;
}

/**
 * A state that travels goes on from the last good answer: it has heard all pieces that have a result, and no other. One
 * that the engine keeps begins anew after an error, and the client is told.
 */
function stateProblems({ events }: WebSocketClient, kind: StateKind): string[] {
  const problems: string[] = [];
  let heard = 0;
  let isLost = false;
  for (const event of events) {
    if (event.type === "error" && kind === "sequence") {
      isLost ||= heard > 0;
      heard = 0;
    } else if (event.type === "warning" && event.code === "state_lost") {
      isLost = false;
    } else if (event.type === "segment" && kind !== "none") {
      heard += Math.round((event.end_time - event.start_time) * RATE);
      if (event["samples"] !== heard) problems.push(`the state has ${String(event["samples"])} samples, not ${heard}`);
      if (isLost) problems.push(`no state_lost before the result at ${event.start_time}`);
    }
  }
  return problems;
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

function grown(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>) {
  return Object.fromEntries(Object.entries(after).map(([kind, count]) => [kind, count - (before[kind] ?? 0)]));
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
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
