// How many real-time streams a server carries, and what each costs: N connections send 16 kHz mono s16 in messages of 100 ms, by an
// absolute clock, bursts of noise and pauses; the server's processor time is read from /proc, its delay from the answers.
//
//   bun scripts/bench/streams.ts [--streams 100,500,1000] [--seconds 10] [--rounds 3] [--against FILE] [--traces 0.01,1]
//                                [-- --set key=value ...]
//
// --against measures another build beside, --traces Streamer with that share of its streams recorded and sent to a sink; /metrics
// is read every five seconds. With several rounds the medians are shown.
//
// Each count is measured with Streamer and with a bare Bun.serve socket in the same run. What follows `--` goes to `streamer serve`.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";

const RATE = 16_000;
const MESSAGE_MS = 100;
const MESSAGE_SAMPLES = (RATE * MESSAGE_MS) / 1000;
const SPEECH_MESSAGES = 20;
const CYCLE_MESSAGES = 30;
const MIN_SILENCE_MS = 500;
/** As often as a Prometheus in a hurry does. */
const SCRAPE_MS = 5_000;
/** Clock ticks of /proc/PID/stat a second: USER_HZ of Linux. */
const TICKS = 100;

interface Result {
  /** Milliseconds of the server's processor time for a second of one stream. */
  readonly cpuMs: number;
  /** Milliseconds from the message that decides to the final result, sorted. */
  readonly delays: number[];
  readonly rssMib: number;
  /** Messages that were sent more than one message's time late: the generator's own limit. */
  readonly late: number;
}

const messages = makeMessages();

/** One cycle of audio as messages: noise at -20 dBFS over noise at -60. */
function makeMessages(): Uint8Array[] {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Array.from({ length: CYCLE_MESSAGES }, (_, i) => {
    const amplitude = i < CYCLE_MESSAGES - SPEECH_MESSAGES ? 57 : 5_700;
    const samples = Int16Array.from({ length: MESSAGE_SAMPLES }, () => Math.round(random() * amplitude));
    return new Uint8Array(samples.buffer);
  });
}

interface Case {
  readonly name: string;
  readonly command: string[];
  readonly env?: Record<string, string>;
}

async function measure({ command, env }: Case, streams: number, seconds: number, settle: number): Promise<Result> {
  const server = Bun.spawn(command, { stdout: "pipe", stderr: "ignore", env: { ...process.env, ...env } });
  let scrape: Timer | undefined;
  try {
    const line = new TextDecoder().decode((await server.stdout.getReader().read()).value);
    const http = line.replace("listening on ", "").trim();
    const read = async (): Promise<string> => await (await fetch(`${http}/metrics`)).text();
    // What the first one loads is no part of what it costs to be watched.
    await read();
    scrape = setInterval(() => void read(), SCRAPE_MS);
    return await load(`${http.replace("http", "ws")}/api/v1/segmented`, server.pid, streams, seconds, settle);
  } finally {
    clearInterval(scrape);
    server.kill();
    await server.exited;
  }
}

/** Takes spans and forgets them; a process of its own, so that its time is nobody else's. */
const SINK = `const server = Bun.serve({ port: 0, hostname: "127.0.0.1", async fetch(request) {
  await request.arrayBuffer();
  return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } });
} });
console.log(server.port);`;

async function openSink(): Promise<{ url: string; close: () => void }> {
  const sink = Bun.spawn([process.execPath, "-e", SINK], { stdout: "pipe" });
  const port = new TextDecoder().decode((await sink.stdout.getReader().read()).value).trim();
  return { url: `http://127.0.0.1:${port}`, close: () => sink.kill() };
}

async function load(url: string, pid: number, streams: number, seconds: number, settle: number): Promise<Result> {
  const delays: number[] = [];
  let counting = false;
  const sockets: WebSocket[] = [];
  const begun: number[] = [];
  for (let i = 0; i < streams; i++) {
    const socket = new WebSocket(url);
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    });
    socket.send(
      JSON.stringify({
        request: "start",
        format: { channels: 1, sample_rate: RATE, bit_depth: 16, is_float: false },
        vad: { min_silence_ms: MIN_SILENCE_MS },
      }),
    );
    let inactive = 0;
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as { type: string; time?: number };
      if (event.type === "inactive") inactive = event.time ?? 0;
      if (event.type !== "segment" || !counting || inactive === 0) return;
      // The deciding sample is in the message that ends at or after it.
      const message = Math.ceil((inactive * 1000 + MIN_SILENCE_MS) / MESSAGE_MS);
      delays.push(performance.now() - ((begun[i] ?? 0) + (message - 1) * MESSAGE_MS));
    };
  }
  const start = performance.now();
  const sent = new Int32Array(streams);
  for (let i = 0; i < streams; i++) begun[i] = start + (i / streams) * MESSAGE_MS;
  let late = 0;
  let before = 0;
  let countedFrom = 0;
  const end = start + (settle + seconds) * 1000;
  for (let now = start; now < end; now = performance.now()) {
    if (!counting && now >= start + settle * 1000) {
      counting = true;
      before = cpu(pid);
      countedFrom = now;
    }
    for (const [i, socket] of sockets.entries()) {
      const due = (begun[i] ?? 0) + (sent[i] ?? 0) * MESSAGE_MS;
      if (now < due) continue;
      if (now - due > MESSAGE_MS) late += 1;
      socket.send(messages[(sent[i] ?? 0) % CYCLE_MESSAGES] ?? new Uint8Array());
      sent[i] = (sent[i] ?? 0) + 1;
    }
    await Bun.sleep(1);
  }
  const cpuMs = ((cpu(pid) - before) * 1000 * 1000) / TICKS / ((performance.now() - countedFrom) * streams);
  const rssMib = rss(pid);
  for (const socket of sockets) socket.terminate();
  return { cpuMs, delays: delays.sort((a, b) => a - b), rssMib, late };
}

function proc(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, "utf8");
}

/** Ticks of user and system time, all threads. */
function cpu(pid: number): number {
  const fields = proc(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function rss(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(proc(pid, "status"))?.[1] ?? 0) / 1024;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    streams: { type: "string", default: "100,500,1000" },
    seconds: { type: "string", default: "10" },
    settle: { type: "string", default: "4" },
    rounds: { type: "string", default: "1" },
    against: { type: "string" },
    traces: { type: "string", default: "" },
  },
});
const executable = await buildExecutable();
const zero = ["delay", "constant_factor", "jitter"].flatMap((key) => ["--set", `model.${key}=0`]);
const quantile = (sorted: readonly number[], part: number): number =>
  sorted[Math.floor((sorted.length - 1) * part)] ?? NaN;
const median = (numbers: number[]): number =>
  quantile(
    numbers.sort((a, b) => a - b),
    0.5,
  );
const serve = ["serve", "--port", "0", ...zero, ...positionals];
const sink = values.traces === "" ? undefined : await openSink();
const cases: Case[] = [
  { name: "raw", command: [process.execPath, `${import.meta.dir}/raw-socket.ts`] },
  ...(values.against === undefined ? [] : [{ name: "against", command: [values.against, ...serve] }]),
  { name: "streamer", command: [executable, ...serve] },
  ...values.traces.split(",").flatMap((share) =>
    sink === undefined
      ? []
      : {
          name: `traces ${share}`,
          command: [executable, ...serve],
          env: {
            OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
            OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG: share,
          },
        },
  ),
];
console.log(
  "streams  server       cpu ms per stream second  streams per core  final result p50 / p99 ms  rss MiB  late",
);
for (const streams of values.streams.split(",").map(Number)) {
  const results = new Map<string, Result[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    // Another order every time: what the machine does beside should not always meet the same case.
    for (const each of round % 2 === 0 ? cases : cases.toReversed()) {
      const result = await measure(each, streams, Number(values.seconds), Number(values.settle));
      results.set(each.name, [...(results.get(each.name) ?? []), result]);
    }
  }
  for (const { name } of cases) {
    const rounds = results.get(name) ?? [];
    const of = (pick: (result: Result) => number): number => median(rounds.map(pick));
    const cpuMs = of((result) => result.cpuMs);
    const delay =
      name === "raw"
        ? "-"
        : [0.5, 0.99].map((part) => of(({ delays }) => quantile(delays, part)).toFixed(1)).join(" / ");
    console.log(
      `${String(streams).padStart(7)}  ${name.padEnd(11)}  ${cpuMs.toFixed(3).padStart(24)}  ${(1000 / cpuMs).toFixed(0).padStart(16)}  ${delay.padStart(25)}  ${of(
        ({ rssMib }) => rssMib,
      )
        .toFixed(0)
        .padStart(7)}  ${of(({ late }) => late)}`,
    );
  }
}
sink?.close();
