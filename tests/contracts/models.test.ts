import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { LedgerCheck } from "../../src/client/ledger.ts";
import { BUILT_IN } from "../../src/model/models.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { FakeEngine } from "../support/engines/fake-engine.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { chunkInvariantEvents } from "../support/ledgers.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const RATE = 22_050;
const FORMAT = { channels: 2, sample_rate: RATE, bit_depth: 16, is_float: false };
const FRAME_BYTES = 4;

const engine = await FakeEngine.start();
afterAll(() => engine.kill());

const furtherModels = [...BUILT_IN.keys()]
  .filter((name) => name !== "simulated")
  .map((name) => ({ [`models.${name}.name`]: name, [`models.${name}.workers`]: 2 }));

const remote = { "models.remote.urls": engine.url, "models.remote.model": "m" };

// Calls of the simulated model vary in duration, so that a later one may end first.
const shared = await sharedServer({
  "model.workers": 3,
  "model.jitter": 0.01,
  ...Object.assign({}, ...furtherModels),
  ...remote,
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

/** Sends a stream on a new connection and waits for the close. */
async function sendStream(
  server: InProcessServer,
  model: string,
  bytes: Buffer,
  delivery: Delivery = {},
): Promise<Received> {
  const { route = "stateful", size = () => bytes.length, pause = () => 0 } = delivery;
  const client = await server.connect({ path: `/api/v1/${route}` });
  client.start({ format: FORMAT, model });
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + size());
    await client.sendAudio(bytes.subarray(at, end));
    const wait = pause();
    if (wait > 0) await Bun.sleep(wait);
    at = end;
  }
  client.stop({ disconnect: true });
  await client.nextEvent("stopped");
  await client.waitForClose();
  return { events: client.events, audio: audioOf(client.events, client.binaryMessages) };
}

/** Joins the audio of the results by channel, as base64. */
function audioOf(events: readonly ServerEvent[], binaryMessages: readonly Buffer[]): Record<string, string> {
  const parts: Record<string, Buffer[]> = {};
  let next = 0;
  for (const event of events) {
    if ((event.type !== "segment" && event.type !== "data") || event.audio === undefined) continue;
    const bytes = binaryMessages[next++];
    expect(bytes?.length).toBe(event.audio.bytes);
    (parts[event.channel] ??= []).push(bytes!);
  }
  expect(next).toBe(binaryMessages.length);
  return Object.fromEntries(
    Object.entries(parts).map(([channel, own]) => [channel, Buffer.concat(own).toString("base64")]),
  );
}

/** Returns the contradictions between the events, the ledger and the audio that was sent. */
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

/** Two channels with speech at different times, in a little noise. The last frame is incomplete. */
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
        test(`${model} keeps state, so /${route} refuses the start with param model`, async () => {
          using client = await shared.connect({ path: `/api/v1/${route}` });
          client.start({ format: FORMAT, model });
          const { param, message } = await client.nextEvent("error");
          expect(param).toBe("model");
          expect(message).toStartWith(`model: found "${model}", which keeps state, on /${route}; allowed: `);
          expect(message).toEndWith("; this model on /stateful");
        });
        continue;
      }
      test(`${model} in /${route}: the same bytes give the same finals, audio and ledger, in any messages and at any pace`, async () => {
        const whole = await sendStream(shared, model, bytes, { route });
        expect(problems(whole, bytes.length)).toEqual([]);
        const finals = whole.events.filter((event) => event.type === "segment");
        expect(finals.length).toBeGreaterThan(1);
        const deliveries: readonly Delivery[] = [
          { size: () => 1 + Math.floor(random() * 9000) },
          { size: () => 1 + Math.floor(random() * 3000), pause: () => (random() < 0.2 ? 3 * random() : 0) },
          { size: () => 1 + Math.floor(random() ** 8 * 60_000), pause: () => (random() < 0.02 ? 20 : 0) },
        ];
        for (const delivery of deliveries) {
          const received = await sendStream(shared, model, bytes, { ...delivery, route });
          expect(chunkInvariantEvents(received.events)).toEqual(chunkInvariantEvents(whole.events));
          expect(received.audio).toEqual(whole.audio);
          const dataOf = ({ events }: Received) =>
            events.filter((event) => event.type === "data" && event.channel === 0);
          expect(dataOf(received)).toEqual(dataOf(whole));
        }
      });
    }
  }

  test("denoise returns as many samples as were decoded, in each channel", async () => {
    const received = await sendStream(shared, "denoise", bytes, { size: () => 5000 });
    const stopped = received.events.find((event) => event.type === "stopped")!;
    expect(stopped.channels).toHaveLength(2);
    for (const { channel, decoded, inferred } of stopped.channels) {
      expect(Buffer.from(received.audio[channel] ?? "", "base64").length).toBe(4 * decoded);
      expect(inferred).toBe(decoded);
    }
  });

  test("denoise returns the same audio for any block size, and with flushes", async () => {
    const whole = await sendStream(shared, "denoise", bytes);
    for (const ms of [20, 37, 1000]) {
      await using server = await InProcessServer.start({ "stateful.block_ms": ms, "models.denoise.name": "denoise" });
      expect((await sendStream(server, "denoise", bytes)).audio, `${ms} ms`).toEqual(whole.audio);
    }
    using client = await shared.connect({ path: "/api/v1/stateful" });
    client.start({ format: FORMAT, model: "denoise" });
    for (let at = 0; at < bytes.length; at += 20_002) {
      await client.sendAudio(bytes.subarray(at, at + 20_002));
      client.flush();
    }
    client.stop();
    await client.nextEvent("stopped");
    expect(client.eventsOf("flushed").length).toBeGreaterThan(10);
    expect(audioOf(client.events, client.binaryMessages)).toEqual(whole.audio);
  });
});
