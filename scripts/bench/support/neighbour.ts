// One noisy neighbour for `noisy`, in its own process: `bun scripts/bench/support/neighbour.ts KIND ws://HOST:PORT
// [ADDRESS]`. With an address it connects as through a proxy. On SIGTERM it prints one line about what it sent and ends.

import { connect } from "node:net";

import { generator, LOUD, noise, QUIET, RATE } from "./bursts.ts";
import { openSocket } from "./server-process.ts";

const CHANNELS = 16;
/** Bytes on the way to the server above which a fast sender pauses. */
const AHEAD = 4 * 1024 * 1024;

const [kind, url, address] = process.argv.slice(2);
const draw = generator(99);
let report = (): string => "";
/** Of all connections of `flood`: seconds of audio, results, errors. */
let [sent, results, errors] = [0, 0, 0];
process.on("SIGTERM", () => {
  console.log(report());
  process.exit();
});

/** Blocks of interleaved s16. Each channel has its own utterances and pauses, in seconds. */
function* blocks(channels: number, blockMs: number, spoken: () => number, pause: () => number): Generator<Uint8Array> {
  const frames = (RATE * blockMs) / 1000;
  const left = Array.from({ length: channels }, () => ({ loud: false, samples: pause() * RATE }));
  const [loud, quiet] = [noise(draw, 4 * RATE, LOUD), noise(draw, 4 * RATE, QUIET)];
  for (;;) {
    const block = new Int16Array(frames * channels);
    for (const [channel, state] of left.entries()) {
      const from = state.loud ? loud : quiet;
      const offset = Math.floor(draw() * (from.length - frames));
      for (let i = 0; i < frames; i++) block[i * channels + channel] = from[offset + i]!;
      state.samples -= frames;
      if (state.samples > 0) continue;
      state.loud = !state.loud;
      state.samples = (state.loud ? spoken() : pause()) * RATE;
    }
    yield new Uint8Array(block.buffer);
  }
}

function start(channels: number, more: object): string {
  const format = { channels, sample_rate: RATE, bit_depth: 16, is_float: false };
  return JSON.stringify({ request: "start", format, ...more });
}

/** Sends as fast as the server reads, and counts the results. */
async function flood(more: object, channels: number, spoken: () => number, pause: () => number): Promise<void> {
  report = () => `sent ${sent.toFixed(0)} s of ${channels} channels, ${results} results, ${errors} errors`;
  const socket = await openSocket(`${url}/api/v1/segmented`, address);
  socket.onmessage = ({ data }) => {
    const { type } = JSON.parse(String(data)) as { type: string };
    if (type === "segment") results++;
    if (type === "error") errors++;
  };
  socket.send(start(channels, more));
  for (const block of blocks(channels, 500, spoken, pause)) {
    while (socket.bufferedAmount > AHEAD) await Bun.sleep(2);
    if (socket.readyState !== WebSocket.OPEN) break;
    socket.send(block);
    sent += 0.5;
    await Bun.sleep(0);
  }
}

/** Sends as fast as the server reads, and reads nothing. Reconnects when the server disconnects it. */
async function mute(): Promise<void> {
  const { hostname, port } = new URL(url!);
  const seconds = { sent: 0 };
  let connections = 0;
  report = () => `sent ${seconds.sent.toFixed(0)} s of ${CHANNELS} channels in ${connections} connections`;
  const sounds = blocks(
    CHANNELS,
    100,
    () => 0.1,
    () => 0.2,
  );
  for (;;) {
    const socket = connect(Number(port), hostname);
    connections++;
    let wake = (): void => {};
    socket.on("error", () => {});
    socket.on("drain", () => wake());
    socket.on("close", () => wake());
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    socket.write(
      `GET /api/v1/segmented HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once("data", resolve));
    socket.pause();
    const vad = { min_speech_ms: 20, min_silence_ms: 50, post_roll_ms: 0, pre_roll_ms: 0 };
    const options = { model: "quick", interim_results: true, interim_interval_ms: 100, vad };
    socket.write(frame(1, new TextEncoder().encode(start(CHANNELS, options))));
    while (!socket.destroyed) {
      if (socket.write(frame(2, sounds.next().value as Uint8Array))) await Bun.sleep(0);
      else await new Promise<void>((resolve) => (wake = resolve));
      seconds.sent += 0.1;
    }
    await Bun.sleep(100);
  }
}

/** A masked frame. The mask is zero, so the payload stays as it is. */
function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(14));
  header.setUint8(0, 0x80 | opcode);
  header.setUint8(1, 0x80 | 127);
  header.setBigUint64(2, BigInt(payload.length));
  return Buffer.concat([new Uint8Array(header.buffer), payload]);
}

const between = (least: number, most: number) => (): number => least + draw() * (most - least);
const kinds: Record<string, () => Promise<void>> = {
  greedy: () => flood({}, CHANNELS, between(10, 29), () => 1),
  crowd: async () => {
    await Promise.all(Array.from({ length: CHANNELS }, () => flood({}, 1, between(10, 29), () => 1)));
  },
  crashing: () => flood({ model: "bad" }, 1, between(0.2, 0.5), () => 1),
  deadly: () => flood({ options: { crash: true } }, 1, between(0.2, 0.5), () => 1),
  mute,
};
await kinds[kind!]!();
