import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { LedgerCheck } from "../../src/client/ledger.ts";
import { builtInModels } from "../../src/model/models.ts";
import { PATTERNS } from "../../src/pipeline/pipelines.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { invariant } from "../support/ledgers.ts";

/** Models that carry state run where state is carried, and nowhere else. */
const STATEFUL = new Set(["denoise"]);

const RATE = 22_050;
const FORMAT = { channels: 2, sample_rate: RATE, bit_depth: 16, is_float: false };
const FRAME_BYTES = 4;

let server: Running;

beforeAll(async () => {
  const others = builtInModels.filter((name) => name !== "simulated");
  const keys = others.flatMap(
    (name) =>
      [
        [`models.${name}.name`, name],
        [`models.${name}.workers`, 2],
      ] as const,
  );
  // A model that is slow at times, so that answers overtake each other.
  server = await Running.start({ "model.workers": 3, "model.jitter": 0.01, ...Object.fromEntries(keys) });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Told {
  readonly events: readonly ServerEvent[];
  /** The audio of the results, channel by channel, in the order of its coming. */
  readonly audio: Record<string, string>;
}

/** One stream, its bytes in messages of `size()`, with a pause of `pause()` ms behind each. */
async function stream(
  route: string,
  model: string,
  bytes: Buffer,
  size: () => number,
  pause: () => number,
): Promise<Told> {
  const peer = await server.connect({ path: `/api/v1/${route}` });
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
  return { events: peer.events, audio: soundOf(peer.events, peer.binaries) };
}

function soundOf(events: readonly ServerEvent[], binaries: readonly Buffer[]): Record<string, string> {
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

/** What does not add up between the events, the ledger and what was sent. */
function problems({ events }: Told, bytes: number): string[] {
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

/** A voice on each side, not at the same time, over a little noise; the last frame is not whole. */
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
  for (const model of builtInModels) {
    for (const route of Object.keys(PATTERNS)) {
      const { carriesState } = PATTERNS[route]!;
      if (STATEFUL.has(model) && !carriesState) {
        test(`${model} carries state, which /${route} cannot: the start is refused by name`, async () => {
          const peer = await server.connect({ path: `/api/v1/${route}` });
          peer.start({ format: FORMAT, model });
          expect(await peer.next("error")).toMatchObject({ param: "model" });
        });
        continue;
      }
      test(`${model} in /${route}: the same bytes in any cut and at any pace give the same finals, sound and ledger`, async () => {
        const still = (): number => 0;
        const whole = await stream(route, model, bytes, () => bytes.length, still);
        expect(problems(whole, bytes.length)).toEqual([]);
        const finals = whole.events.filter((event) => event.type === "segment");
        expect(finals.length).toBeGreaterThan(1);
        const cuts = [
          [() => 1 + Math.floor(random() * 9000), still],
          [() => 1 + Math.floor(random() * 3000), () => (random() < 0.2 ? 3 * random() : 0)],
          [() => 1 + Math.floor(random() ** 8 * 60_000), () => (random() < 0.02 ? 20 : 0)],
        ] as const;
        for (const [size, pause] of cuts) {
          const cut = await stream(route, model, bytes, size, pause);
          expect(invariant(cut.events)).toEqual(invariant(whole.events));
          expect(cut.audio).toEqual(whole.audio);
          const said = (told: Told) => told.events.filter((event) => event.type === "data" && event.channel === 0);
          expect(said(cut)).toEqual(said(whole));
        }
      });
    }
  }

  test("denoise sends back as many samples as were decoded, on each channel", async () => {
    const told = await stream(
      "stateful",
      "denoise",
      bytes,
      () => 5000,
      () => 0,
    );
    const stopped = told.events.find((event) => event.type === "stopped")!;
    expect(stopped.channels).toHaveLength(2);
    for (const { channel, decoded, inferred } of stopped.channels) {
      expect(Buffer.from(told.audio[channel] ?? "", "base64").length).toBe(4 * decoded);
      expect(inferred).toBe(decoded);
    }
  });
});
