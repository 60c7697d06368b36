// How many real-time streams a server carries, and what each costs: N connections send 16 kHz mono s16 in messages of 100 ms, by an
// absolute clock, bursts of noise and pauses; the server's processor time is read from /proc, its delay from the answers.
//
//   bun scripts/bench/streams.ts [--streams 100,500,1000] [--seconds 10] [-- --set key=value ...]
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

async function measure(command: string[], streams: number, seconds: number, settle: number): Promise<Result> {
  const server = Bun.spawn(command, { stdout: "pipe", stderr: "ignore" });
  try {
    const line = new TextDecoder().decode((await server.stdout.getReader().read()).value);
    const url = line.replace("listening on http", "ws").trim();
    return await load(`${url}/api/v1/segmented`, server.pid, streams, seconds, settle);
  } finally {
    server.kill();
    await server.exited;
  }
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
  },
});
const executable = await buildExecutable();
const zero = ["delay", "constant_factor", "jitter"].flatMap((key) => ["--set", `model.${key}=0`]);
const at = (sorted: number[], part: number): string =>
  (sorted[Math.floor((sorted.length - 1) * part)] ?? NaN).toFixed(1);
console.log("streams  server    cpu ms per stream second  streams per core  final result p50 / p99 ms  rss MiB  late");
for (const streams of values.streams.split(",").map(Number)) {
  const commands: [string, string[]][] = [
    ["raw", [process.execPath, `${import.meta.dir}/raw-socket.ts`]],
    ["streamer", [executable, "serve", "--port", "0", ...zero, ...positionals]],
  ];
  for (const [name, command] of commands) {
    const { cpuMs, delays, rssMib, late } = await measure(
      command,
      streams,
      Number(values.seconds),
      Number(values.settle),
    );
    const delay = name === "raw" ? "-" : `${at(delays, 0.5)} / ${at(delays, 0.99)}`;
    console.log(
      `${String(streams).padStart(7)}  ${name.padEnd(8)}  ${cpuMs.toFixed(3).padStart(24)}  ${(1000 / cpuMs).toFixed(0).padStart(16)}  ${delay.padStart(25)}  ${rssMib.toFixed(0).padStart(7)}  ${late}`,
    );
  }
}
