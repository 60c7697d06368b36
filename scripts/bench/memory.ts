// Memory of connections and streams, and what is left of a burst.
//
//   bun run bench memory [--connections 4000] [--streams 2000] [--seconds 4]
//
// An idle connection is open and has started nothing. A stream has started, has got `--seconds` of silence at full
// speed, and waits. Then every stream sends speech that fills the arena, stops, and leaves. Memory is RssAnon and
// RssShmem of /proc; audio in the arena is counted apart. Goals: 4 KiB a connection, 16 KiB a stream beside its audio,
// the pages of the arena given back 5 s after the burst.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { FrameSocket, type FrameSocketEvents } from "../../src/client/frame-socket.ts";
import { clientFrame, OPCODE } from "../../src/client/websocket-frames.ts";
import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { instantServer } from "./support/measure-streams.ts";
import { ServerProcess } from "./support/server-process.ts";

const TIMEOUT_MS = 10_000;
/** Connections that are opened at a time. */
const AT_ONCE = 50;
const SETTLE_MS = 2_000;
/** After a burst, its pages are given back within this time. */
const BURST_OVER_MS = 6_000;
const RATE = 16_000;

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "4000" },
    streams: { type: "string", default: "2000" },
    seconds: { type: "string", default: "4" },
  },
});

const utf8 = new TextEncoder();
const START = clientFrame(
  OPCODE.text,
  utf8.encode('{"request":"start","format":{"channels":1,"sample_rate":16000,"bit_depth":16,"is_float":false}}'),
);
const SILENCE = clientFrame(OPCODE.binary, new Uint8Array(3_200));
/** 100 ms of a loud tone, which counts as speech. */
const TONE = clientFrame(
  OPCODE.binary,
  new Uint8Array(Int16Array.from({ length: RATE / 10 }, (_, i) => 8_000 * Math.sin(i * i)).buffer),
);

interface Memory {
  /** KiB of memory of the process's own, and of pages shared with others: the arena. */
  readonly anon: number;
  readonly shmem: number;
  /** KiB of audio in the arena. */
  readonly audio: number;
}

async function memory(server: ServerProcess): Promise<Memory> {
  const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  const metrics = await (await fetch(`http://${server.host}/metrics`)).text();
  const audio = Number(/^streamer_arena_used_bytes (\d+)/m.exec(metrics)?.[1]) / 1024;
  return { anon: kib("RssAnon"), shmem: kib("RssShmem"), audio };
}

async function open(server: ServerProcess, count: number): Promise<FrameSocket[]> {
  const url = new URL(`ws://${server.host}/api/v1/segmented`);
  const ignore: FrameSocketEvents = { message() {}, writable() {}, closed() {} };
  const sockets: FrameSocket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () =>
      FrameSocket.connect(url, ignore, TIMEOUT_MS),
    );
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** Sends a frame on each socket so many times; waits where the kernel does not take it. */
async function send(sockets: readonly FrameSocket[], frame: Uint8Array, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    for (const socket of sockets) if (socket.writable) socket.write(frame);
    await Bun.sleep(1);
  }
}

function print(name: string, kib: number): void {
  console.log(`${name.padEnd(52)}${kib.toFixed(1).padStart(10)} KiB`);
}

printMachine();
const executable = await buildExecutable();
// Silence comes at full speed, which on a busy machine would be a reason to refuse streams.
const limits = ["limits.max_sessions=20000", "limits.idle_timeout_ms=600000", "limits.admission.load=1000"];
const settings = limits.flatMap((pair) => ["--set", pair]);
await using server = await ServerProcess.start([executable, ...instantServer(settings)]);
// The first connections load code and grow the heap to its size at work.
for (const socket of await open(server, 200)) socket.terminate();
await Bun.sleep(SETTLE_MS);
const base = await memory(server);
print("at the start", base.anon + base.shmem);

const connections = await open(server, Number(values.connections));
await Bun.sleep(SETTLE_MS);
const connected = await memory(server);
const connection = (connected.anon - base.anon) / connections.length;
print("an idle connection", connection);
reportFigure("memory/connection_kib", connection);

const streams = connections.slice(0, Number(values.streams));
await send(streams, START, 1);
await send(streams, SILENCE, Number(values.seconds) * 10);
await Bun.sleep(SETTLE_MS);
const streaming = await memory(server);
const stream = (streaming.anon - connected.anon) / streams.length;
print("a stream, beside its connection and its audio", stream);
print("audio of a stream in the arena", streaming.audio / streams.length);
reportFigure("memory/stream_kib", stream);

await send(streams, TONE, 100);
const burst = await memory(server);
print("arena in the burst: pages", burst.shmem);
for (const socket of connections) socket.terminate();
await Bun.sleep(BURST_OVER_MS);
const after = await memory(server);
print("arena after the burst: pages", after.shmem);
print("process after the burst, without the arena", after.anon);
reportFigure("memory/burst_mib", burst.shmem / 1024);
reportFigure("memory/after_burst_mib", after.shmem / 1024);
