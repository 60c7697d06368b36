import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { LedgerCheck } from "../../src/client/ledger.ts";
import { BUILT_IN } from "../../src/model/models.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { invariant } from "../support/ledgers.ts";

const RATE = 22_050;
const FORMAT = { channels: 2, sample_rate: RATE, bit_depth: 16, is_float: false };
const FRAME_BYTES = 4;

let server: Running;

beforeAll(async () => {
  const others = [...BUILT_IN.keys()].filter((name) => name !== "simulated");
  const keys = others.flatMap(
    (name) =>
      [
        [`models.${name}.name`, name],
        [`models.${name}.workers`, 2],
      ] as const,
  );
  // A model with varying delay, so that results overtake each other.
  server = await Running.start({ "model.workers": 3, "model.jitter": 0.01, ...Object.fromEntries(keys) });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Received {
  readonly events: readonly ServerEvent[];
  /** The audio of the results by channel, in the order of arrival. */
  readonly audio: Record<string, string>;
}

interface Delivery {
  readonly route?: string;
  /** Bytes of the next message; default all. */
  readonly size?: () => number;
  /** Milliseconds to wait after a message. */
  readonly pause?: () => number;
}

async function stream(on: Running, model: string, bytes: Buffer, delivery: Delivery = {}): Promise<Received> {
  const { route = "stateful", size = () => bytes.length, pause = () => 0 } = delivery;
  const peer = await on.connect({ path: `/api/v1/${route}` });
  peer.start({ format: FORMAT, model });
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + size());
    await peer.audio(bytes.subarray(at, end));
    const wait = pause();
    if (wait > 0) await Bun.sleep(wait);
    at = end;
  }
  peer.stop({ disconnect: true });
  await peer.next("stopped");
  await peer.close();
  return { events: peer.events, audio: audioOf(peer.events, peer.binaries) };
}

function audioOf(events: readonly ServerEvent[], binaries: readonly Buffer[]): Record<string, string> {
  const sound: Record<string, Buffer[]> = {};
  let next = 0;
  for (const event of events) {
    if ((event.type !== "segment" && event.type !== "data") || event.audio === undefined) continue;
    const bytes = binaries[next++];
    expect(bytes?.length).toBe(event.audio.bytes);
    (sound[event.channel] ??= []).push(bytes!);
  }
  expect(next).toBe(binaries.length);
  return Object.fromEntries(
    Object.entries(sound).map(([channel, parts]) => [channel, Buffer.concat(parts).toString("base64")]),
  );
}

/** Contradictions between the events, the ledger and the audio that was sent. */
function problems({ events }: Received, bytes: number): string[] {
  const started = events.find((event) => event.type === "started")!;
  const stopped = events.find((event) => event.type === "stopped")!;
  const check = new LedgerCheck(started.sample_rate);
  for (const event of events) check.add(event);
  const { channels, sample_rate: sampleRate } = FORMAT;
  return check.problems(stopped, {
    bytes,
    frameBytes: FRAME_BYTES,
    channels,
    sampleRate,
    modelRate: started.sample_rate,
  });
}

const seed = freshSeed();
const random = seeded(seed);

/** A voice on each channel, not at the same time, with a little noise. The last frame is incomplete. */
function recording(): Buffer {
  const options = { rate: RATE, seed: 7 };
  const left = concat(speech([0.5, 0.4], options), noise(0.3, options));
  const right = concat(noise(0.6, { ...options, seed: 9 }), speech([0.7], options), noise(1, options)).slice(
    0,
    left.length,
  );
  const length = Math.min(left.length, right.length);
  return Buffer.concat([encode("s16", left.slice(0, length), right.slice(0, length)), Buffer.from([1, 2, 3])]);
}

describe(`built-in models (seed ${seed})`, () => {
  const bytes = recording();
  for (const { name: model, stateful } of BUILT_IN.values()) {
    for (const route of Object.keys(PATTERNS)) {
      const { keepsState } = PATTERNS[route]!;
      if (stateful === true && !keepsState) {
        test(`${model} keeps state, so /${route} refuses the start and names the model`, async () => {
          const peer = await server.connect({ path: `/api/v1/${route}` });
          peer.start({ format: FORMAT, model });
          expect(await peer.next("error")).toMatchObject({ param: "model" });
        });
        continue;
      }
      test(`${model} in /${route}: the same bytes, in any messages and at any pace, give the same finals, audio and ledger`, async () => {
        const whole = await stream(server, model, bytes, { route });
        expect(problems(whole, bytes.length)).toEqual([]);
        const finals = whole.events.filter((event) => event.type === "segment");
        expect(finals.length).toBeGreaterThan(1);
        const cuts: readonly Delivery[] = [
          { size: () => 1 + Math.floor(random() * 9000) },
          { size: () => 1 + Math.floor(random() * 3000), pause: () => (random() < 0.2 ? 3 * random() : 0) },
          { size: () => 1 + Math.floor(random() ** 8 * 60_000), pause: () => (random() < 0.02 ? 20 : 0) },
        ];
        for (const delivery of cuts) {
          const cut = await stream(server, model, bytes, { ...delivery, route });
          expect(invariant(cut.events)).toEqual(invariant(whole.events));
          expect(cut.audio).toEqual(whole.audio);
          const dataOf = (received: Received) =>
            received.events.filter((event) => event.type === "data" && event.channel === 0);
          expect(dataOf(cut)).toEqual(dataOf(whole));
        }
      });
    }
  }

  test("denoise returns as many samples as were decoded, on each channel", async () => {
    const received = await stream(server, "denoise", bytes, { size: () => 5000 });
    const stopped = received.events.find((event) => event.type === "stopped")!;
    expect(stopped.channels).toHaveLength(2);
    for (const { channel, decoded, inferred } of stopped.channels) {
      expect(Buffer.from(received.audio[channel] ?? "", "base64").length).toBe(4 * decoded);
      expect(inferred).toBe(decoded);
    }
  });

  test("denoise returns the same audio at any block size of the server, and with any flush", async () => {
    const whole = await stream(server, "denoise", bytes);
    for (const ms of [20, 37, 1000]) {
      await using other = await Running.start({ "stateful.block_ms": ms, "models.denoise.name": "denoise" });
      expect((await stream(other, "denoise", bytes)).audio, `${ms} ms`).toEqual(whole.audio);
    }
    const peer = await server.connect({ path: "/api/v1/stateful" });
    peer.start({ format: FORMAT, model: "denoise" });
    for (let at = 0; at < bytes.length; at += 20_002) {
      await peer.audio(bytes.subarray(at, at + 20_002));
      peer.say({ request: "flush" });
    }
    peer.stop();
    await peer.next("stopped");
    expect(peer.all("flushed").length).toBeGreaterThan(10);
    expect(audioOf(peer.events, peer.binaries)).toEqual(whole.audio);
  });
});
