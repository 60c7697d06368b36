import { type Client, connect } from "../../../src/client/client.ts";
import { loadRecordings } from "../../../src/commands/bench/plan.ts";
import { grpcOpener } from "../../../src/commands/send/grpc-stream.ts";
import { freePort } from "../../../tests/support/proxies.ts";
import { instantServer } from "./measure-streams.ts";
import { ServerProcess } from "./server-process.ts";

export const TRANSPORTS = ["websocket", "grpc"] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Streams that send at once, in real time. */
export interface Load {
  readonly streams: number;
  /** Milliseconds of audio in a message. */
  readonly messageMs: number;
  /** Seconds before the time counts. */
  readonly settle: number;
  /** Seconds that count. */
  readonly seconds: number;
}

export interface TransportRun extends Load {
  readonly executable: string;
  readonly pattern: string;
  /** What the same server gets before: JavaScriptCore compiles the code by how often it has run. Default: nothing. */
  readonly before?: Load;
}

/** Longest wait for all streams to be accepted. */
const START_MS = 30_000;
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false } as const;

/**
 * Sends paced streams of the built-in speech, mono s16 at 16 kHz, each on a connection of its own, to a server with an
 * instant model. Returns microseconds of the server's processor time for a message.
 */
export async function messageCost(transport: Transport, run: TransportRun): Promise<number> {
  const port = await freePort();
  // Beside other programs, the server would refuse streams for want of processor time.
  const settings = [`grpc.port=${port}`, "limits.admission.load=1000"].flatMap((each) => ["--set", each]);
  await using server = await ServerProcess.start([run.executable, ...instantServer(settings)]);
  const host = transport === "grpc" ? `127.0.0.1:${port}` : server.host;
  const url = new URL(`ws://${host}/api/v1/${run.pattern}`);
  const opener = transport === "grpc" ? { openSocket: grpcOpener(url, {}) } : {};
  const open = (): Promise<Client> => connect(url, { format: FORMAT }, { ...opener, resumeMs: 0 });
  if (run.before !== undefined) await send(server, open, run.before);
  return await send(server, open, run);
}

/** Sends a load. Returns microseconds for a message. Throws an Error if a stream has not received its audio. */
async function send(server: ServerProcess, open: () => Promise<Client>, load: Load): Promise<number> {
  const messages = await speech(load.messageMs);
  const settle = Math.round((load.settle * 1000) / load.messageMs);
  const rounds = Math.round((load.seconds * 1000) / load.messageMs);
  const clients = await Promise.all(Array.from({ length: load.streams }, open));
  let accepted = 0;
  const finished = clients.map(async (client) => {
    let error = "no error";
    for await (const { event } of client.events) {
      if (event.type === "started") accepted++;
      if (event.type === "error") error = `${event.code}: ${event.message}`;
      if (event.type === "stopped") return { frames: event.channels[0]?.received ?? 0, end: event.reason, error };
    }
    return { frames: 0, end: "connection lost", error };
  });
  // A client that sends before it is accepted keeps the others' starts waiting on a busy machine.
  for (const until = performance.now() + START_MS; accepted < clients.length && performance.now() < until;)
    await Bun.sleep(10);
  let before = 0;
  const begun = performance.now();
  for (let round = 0; round < settle + rounds; round++) {
    if (round === settle) before = server.cpuMs;
    for (const [number, client] of clients.entries())
      void client.send(messages[(round + number * 7) % messages.length]!);
    await Bun.sleep(Math.max(1, begun + (round + 1) * load.messageMs - performance.now()));
  }
  const usedMs = server.cpuMs - before;
  for (const client of clients) client.stop({ disconnect: true });
  const received = await Promise.all(finished);
  const sent = ((settle + rounds) * load.messageMs * FORMAT.sample_rate) / 1000;
  const short = received.filter(({ frames }) => frames !== sent);
  if (short.length > 0) {
    const [first] = short;
    throw new Error(
      `${short.length} of ${load.streams} streams have not received their ${sent} samples; one of them got ` +
        `${first!.frames} (${first!.end}, ${first!.error})`,
    );
  }
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
