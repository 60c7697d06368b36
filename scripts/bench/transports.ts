// Processor time of the server for an audio message over WebSocket and over gRPC: paced streams of the built-in speech,
// messages of 100 ms, mono s16 at 16 kHz, each stream with a connection of its own, an instant model.
//
//   bun run bench transports [--streams 200] [--seconds 10] [--rounds 3] [--pattern segmented]
//
// The transports take turns. The client is this process, with the client library over both; only the server counts.

import { parseArgs } from "node:util";

import { connect } from "../../src/client/client.ts";
import { loadRecordings } from "../../src/commands/bench/plan.ts";
import { grpcOpener } from "../../src/commands/send/grpc-stream.ts";
import { freePort } from "../../tests/support/proxies.ts";
import { buildExecutable } from "../build.ts";
import { reportFigure } from "./support/figures.ts";
import { printMachine } from "./support/machine.ts";
import { instantServer } from "./support/measure-streams.ts";
import { ServerProcess } from "./support/server-process.ts";
import { median } from "./support/statistics.ts";

const { values } = parseArgs({
  options: {
    streams: { type: "string", default: "200" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    pattern: { type: "string", default: "segmented" },
  },
});

const MESSAGE_MS = 100;
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false } as const;
/** Seconds before the time counts: JavaScriptCore compiles the code. */
const SETTLE = 3;

const [recording] = await loadRecordings({
  path: undefined,
  formats: [{ sampleFormat: "s16", sampleRate: FORMAT.sample_rate, channels: 1 }],
  messageMs: MESSAGE_MS,
  pauseSeconds: 0,
});
// The audio is the end of a masked WebSocket frame; the mask in front of it is zero.
const messages = recording!.frames.map((frame) => frame.slice(frame.length - recording!.messageBytes));

/** Returns microseconds of the server's processor time for a message. */
async function measure(transport: "websocket" | "grpc", executable: string): Promise<number> {
  const port = await freePort();
  await using server = await ServerProcess.start([executable, ...instantServer(["--set", `grpc.port=${port}`])]);
  const host = transport === "grpc" ? `127.0.0.1:${port}` : server.host;
  const url = new URL(`ws://${host}/api/v1/${values.pattern}`);
  const opener = transport === "grpc" ? { openSocket: grpcOpener(url, {}) } : {};
  const rounds = Math.round((Number(values.seconds) * 1000) / MESSAGE_MS);
  const settle = (SETTLE * 1000) / MESSAGE_MS;
  const clients = await Promise.all(
    Array.from({ length: Number(values.streams) }, () => connect(url, { format: FORMAT }, { ...opener, resumeMs: 0 })),
  );
  const finished = clients.map(async (client) => {
    for await (const { event } of client.events) if (event.type === "stopped") return event.channels[0]?.received ?? 0;
    return 0;
  });
  let before = 0;
  const begun = performance.now();
  for (let round = 0; round < settle + rounds; round++) {
    if (round === settle) before = server.cpuMs;
    for (const [number, client] of clients.entries())
      void client.send(messages[(round + number * 7) % messages.length]!);
    await Bun.sleep(Math.max(0, begun + (round + 1) * MESSAGE_MS - performance.now()));
  }
  const usedMs = server.cpuMs - before;
  for (const client of clients) client.stop({ disconnect: true });
  const received = await Promise.all(finished);
  const sent = ((settle + rounds) * MESSAGE_MS * FORMAT.sample_rate) / 1000;
  if (received.some((frames) => frames !== sent)) throw new Error(`${transport}: a stream has not received its audio`);
  return (usedMs * 1000) / (rounds * clients.length);
}

printMachine();
const executable = await buildExecutable();
const results = { websocket: [] as number[], grpc: [] as number[] };
for (let round = 0; round < Number(values.rounds); round++) {
  for (const transport of ["websocket", "grpc"] as const) results[transport].push(await measure(transport, executable));
}
for (const [transport, micros] of Object.entries(results)) {
  console.log(
    `${transport.padEnd(10)} ${median(micros).toFixed(1)} us a message (${micros.map((each) => each.toFixed(1)).join(", ")})`,
  );
  reportFigure(`transports/${transport}_us`, median(micros));
}
