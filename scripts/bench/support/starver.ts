// Five hostile clients for `overload`, in their own process: `bun scripts/bench/support/starver.ts ws://HOST:PORT`. Four
// speak without a pause in 16 channels, so that they hold all the memory that they get; one sends little and flushes
// in a loop, so that there is always a job under way. They come again when they are refused, and end when killed.

import { FrameSocket } from "../../../src/client/frame-socket.ts";
import { clientFrame, OPCODE } from "../../../src/client/websocket-frames.ts";

const TIMEOUT_MS = 10_000;
const CHANNELS = 16;
const FRAMES = 1_600;
const [url = ""] = process.argv.slice(2);

const text = (content: object): Uint8Array =>
  clientFrame(OPCODE.text, new TextEncoder().encode(JSON.stringify(content)));

function start(channels: number): Uint8Array {
  const format = { channels, sample_rate: 16_000, bit_depth: 16, is_float: false };
  return text({ request: "start", format, vad: { max_utterance_ms: 120_000 } });
}

/** A tenth of a second of noise in all channels. */
function noise(channels: number, level: number): Uint8Array {
  const samples = Int16Array.from({ length: channels * FRAMES }, () => (Math.random() * 2 - 1) * level * 32_767);
  return clientFrame(OPCODE.binary, new Uint8Array(samples.buffer));
}

async function attack(first: readonly Uint8Array[], then: readonly Uint8Array[]): Promise<void> {
  for (;;) {
    const ended = Promise.withResolvers<void>();
    let socket: FrameSocket;
    const send = (): void => {
      while (socket.writable) for (const frame of then) socket.write(frame);
    };
    try {
      socket = await FrameSocket.connect(
        new URL(`${url}/api/v1/segmented`),
        { message: () => undefined, writable: send, closed: () => ended.resolve() },
        TIMEOUT_MS,
      );
      for (const frame of first) socket.write(frame);
      send();
      await ended.promise;
    } catch {
      // Refused.
    }
    await Bun.sleep(100);
  }
}

const quiet = Array.from({ length: 8 }, () => noise(CHANNELS, 0.0005));
const speakers = Array.from({ length: 4 }, () => attack([start(CHANNELS), ...quiet], [noise(CHANNELS, 0.3)]));
const flusher = attack([start(1)], [noise(1, 0.3), text({ request: "flush" })]);
await Promise.all([...speakers, flusher]);
