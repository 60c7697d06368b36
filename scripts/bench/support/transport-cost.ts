import { connect } from "../../../src/client/client.ts";
import { loadRecordings } from "../../../src/commands/bench/plan.ts";
import { grpcOpener } from "../../../src/commands/send/grpc-stream.ts";
import { freePort } from "../../../tests/support/proxies.ts";
import { instantServer } from "./measure-streams.ts";
import { ServerProcess } from "./server-process.ts";

export const TRANSPORTS = ["websocket", "grpc"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface TransportRun {
  readonly executable: string;
  readonly pattern: string;
  readonly streams: number;
  /** Milliseconds of audio in a message. */
  readonly messageMs: number;
  /** Seconds before the time counts: JavaScriptCore compiles the code. */
  readonly settle: number;
  /** Seconds that count. */
  readonly seconds: number;
}

const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false } as const;

/**
 * Sends paced streams of the built-in speech, mono s16 at 16 kHz, each on a connection of its own, to a server with an
 * instant model. Returns microseconds of the server's processor time for a message.
 */
export async function messageCost(transport: Transport, run: TransportRun): Promise<number> {
  const messages = await speech(run.messageMs);
  const port = await freePort();
  await using server = await ServerProcess.start([run.executable, ...instantServer(["--set", `grpc.port=${port}`])]);
  const host = transport === "grpc" ? `127.0.0.1:${port}` : server.host;
  const url = new URL(`ws://${host}/api/v1/${run.pattern}`);
  const opener = transport === "grpc" ? { openSocket: grpcOpener(url, {}) } : {};
  const settle = Math.round((run.settle * 1000) / run.messageMs);
  const rounds = Math.round((run.seconds * 1000) / run.messageMs);
  const clients = await Promise.all(
    Array.from({ length: run.streams }, () => connect(url, { format: FORMAT }, { ...opener, resumeMs: 0 })),
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
    await Bun.sleep(Math.max(0, begun + (round + 1) * run.messageMs - performance.now()));
  }
  const usedMs = server.cpuMs - before;
  for (const client of clients) client.stop({ disconnect: true });
  const received = await Promise.all(finished);
  const sent = ((settle + rounds) * run.messageMs * FORMAT.sample_rate) / 1000;
  if (received.some((frames) => frames !== sent)) throw new Error(`${transport}: a stream has not received its audio`);
  return (usedMs * 1000) / (rounds * clients.length);
}

/** Messages of audio, without their frames. */
async function speech(messageMs: number): Promise<Uint8Array[]> {
  const [recording] = await loadRecordings({
    path: undefined,
    formats: [{ sampleFormat: "s16", sampleRate: FORMAT.sample_rate, channels: 1 }],
    messageMs,
    pauseSeconds: 0,
  });
  // The audio is the end of a masked WebSocket frame; the mask in front of it is zero.
  return recording!.frames.map((frame) => frame.slice(frame.length - recording!.messageBytes));
}
