// One hostile client for `attacks`, in its own process: `bun scripts/bench/support/attacker.ts KIND ws://HOST:PORT`.
// It uses only what any client may send, and ends when it is killed.

import { FrameSocket } from "../../../src/client/frame-socket.ts";
import { clientFrame, OPCODE } from "../../../src/client/websocket-frames.ts";

const TIMEOUT_MS = 10_000;
const BURST_BYTES = 512 * 1024;
const [kind = "", url = ""] = process.argv.slice(2);

const utf8 = new TextEncoder();
const text = (content: string): Uint8Array => clientFrame(OPCODE.text, utf8.encode(content));
const start = (sampleRate: number, channels = 1): Uint8Array =>
  text(
    JSON.stringify({ request: "start", format: { channels, sample_rate: sampleRate, bit_depth: 16, is_float: false } }),
  );

/** Repeats a frame up to about BURST_BYTES. */
function burst(frame: Uint8Array): Uint8Array {
  const times = Math.max(1, Math.floor(BURST_BYTES / frame.length));
  const all = new Uint8Array(times * frame.length);
  for (let i = 0; i < times; i++) all.set(frame, i * frame.length);
  return all;
}

function join(frames: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const frame of frames) {
    all.set(frame, at);
    at += frame.length;
  }
  return all;
}

/** What each kind sends first, and then again and again. */
const FLOODS: Readonly<Record<string, { first: Uint8Array; then: Uint8Array }>> = {
  rates: { first: start(16_000), then: join(Array.from({ length: 3_000 }, (_, i) => start(8_001 + 2 * i))) },
  bytes: { first: start(16_000), then: burst(clientFrame(OPCODE.binary, new Uint8Array(1))) },
  empty: { first: start(16_000), then: burst(clientFrame(OPCODE.binary, new Uint8Array(0))) },
  nested: { first: start(16_000), then: burst(text("[".repeat(65_000))) },
  flush: { first: start(16_000), then: burst(text('{"request":"flush"}')) },
  stop: { first: start(16_000), then: burst(text('{"request":"stop"}')) },
  keep_alive: { first: start(16_000), then: burst(text('{"request":"keep_alive"}')) },
  "bad-json": { first: start(16_000), then: burst(text("{")) },
  pings: { first: start(16_000), then: burst(clientFrame(OPCODE.ping, new Uint8Array(1))) },
};

/** Connects again whenever the server ends the connection. */
async function flood({ first, then }: { first: Uint8Array; then: Uint8Array }): Promise<void> {
  for (;;) {
    const ended = Promise.withResolvers<void>();
    const send = (): void => {
      while (socket.writable) socket.write(then);
    };
    let socket: FrameSocket;
    try {
      socket = await FrameSocket.connect(
        new URL(`${url}/api/v1/segmented`),
        { message: () => undefined, writable: send, closed: () => ended.resolve() },
        TIMEOUT_MS,
      );
    } catch {
      await Bun.sleep(100);
      continue;
    }
    socket.write(first);
    send();
    await ended.promise;
  }
}

const found = FLOODS[kind];
if (found === undefined) throw new Error(`unknown attack ${kind}; known: ${Object.keys(FLOODS).join(", ")}`);
await flood(found);
