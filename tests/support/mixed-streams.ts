import { expect } from "bun:test";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { encode, sampleFields, seeded, speech } from "./audio.ts";
import { InProcessServer } from "./in-process-server.ts";
import { expectExactLedger } from "./ledgers.ts";

const RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000];

/** Numbers of results. */
interface Tally {
  segments: number;
  errors: number;
  interims: number;
}

/**
 * Sends one stream of a random format in chunks of random sizes. Its ledger must be exact, and its only errors those of
 * spans that failed.
 */
async function sendRandomStream(server: InProcessServer, seed: number): Promise<Tally> {
  const random = seeded(seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const name = pick(SAMPLE_FORMAT_NAMES);
  const [rate, channels] = [pick(RATES), 1 + Math.floor(random() * 3)];
  const format = { channels, sample_rate: rate, ...sampleFields(name) };
  const audio = Array.from({ length: channels }, (_, n) =>
    speech([0.3 + 0.3 * random(), 0.4], { rate, seed: seed + n }),
  );
  const frames = Math.min(...audio.map(({ length }) => length));
  const bytes = encode(name, ...audio.map((samples) => samples.subarray(0, frames)));
  const frameBytes = (format.bit_depth / 8) * channels;
  const pattern = pick(["simple", "segmented", "segmented", "stateful"]);
  const segmented = pattern === "segmented";
  const client = await server.connect({ path: `/api/v1/${pattern}` });
  client.start({ format, interim_results: segmented && random() < 0.5, interim_interval_ms: 100 });
  await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 20_000));
  client.stop({ disconnect: true });
  expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes });
  for (const error of client.eventsOf("error")) expect(error.code).toBeOneOf(["inference_failed", "worker_crashed"]);
  const finals = client.eventsOf("segment").filter(({ is_final }) => is_final !== false).length;
  return {
    segments: finals,
    errors: client.eventsOf("error").length,
    interims: client.eventsOf("segment").length - finals,
  };
}

/** Sends streams of different formats at once through two workers that fail and die. Every ledger must be exact. */
export async function checkMixedStreams(streams: number, seed: number): Promise<Tally> {
  await using server = await InProcessServer.start({
    "model.workers": 2,
    "model.delay": 0.002,
    "model.jitter": 0.002,
    "model.failure_rate": 0.05,
    "model.panic_rate": 0.05,
    "model.seed": seed,
  });
  const tallies = await Promise.all(
    Array.from({ length: streams }, (_, n) => sendRandomStream(server, seed + 1_000 * n)),
  );
  await server.waitUntilIdle();
  const sum = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0);
  return { segments: sum("segments"), errors: sum("errors"), interims: sum("interims") };
}
