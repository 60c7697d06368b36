import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { SAMPLE_FORMAT_NAMES } from "../../src/lib/sample-format.ts";
import { encode, freshSeed, sampleFields, seeded, speech } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { problemsOf, streamsOf } from "../support/ledgers.ts";

// Many times what any of these takes: a busy machine is not a fault.
setDefaultTimeout(60_000);

const RATES = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000];

/** What one of many clients did and got. */
interface Tally {
  segments: number;
  errors: number;
  interims: number;
}

/** A stream of a random format in random messages; its ledger adds up, and every span that failed is named. */
async function client(running: Running, seed: number): Promise<Tally> {
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
  const peer = await running.connect({ path: `/api/v1/${pattern}` });
  peer.start({ format, interim_results: segmented && random() < 0.5, interim_interval_ms: 100 });
  await peer.cut(bytes, () => 1 + Math.floor(random() * 20_000));
  peer.stop({ disconnect: true });
  expect(await peer.close()).toEqual({ code: 1000, reason: "stop" });
  const [stream] = streamsOf(peer.events);
  expect(problemsOf(stream!, { bytes: bytes.length, frameBytes })).toEqual([]);
  for (const error of peer.all("error")) expect(error.code).toBeOneOf(["inference_failed", "worker_crashed"]);
  const finals = peer.all("segment").filter(({ is_final }) => is_final !== false).length;
  return { segments: finals, errors: peer.all("error").length, interims: peer.all("segment").length - finals };
}

describe("workers that die and fail", () => {
  const seed = freshSeed();

  test(`200 streams of different formats and cuts through 2 workers: every ledger adds up, every failed span is named (seed ${seed})`, async () => {
    await using running = await Running.start({
      "model.workers": 2,
      "model.delay": 0.002,
      "model.jitter": 0.002,
      "model.failure_rate": 0.05,
      "model.panic_rate": 0.05,
      "model.seed": seed,
    });
    const tallies = await Promise.all(Array.from({ length: 200 }, (_, n) => client(running, seed + 1_000 * n)));
    const sum = (key: keyof Tally): number => tallies.reduce((total, tally) => total + tally[key], 0);
    expect(sum("segments")).toBeGreaterThan(500);
    expect(sum("errors")).toBeGreaterThan(20);
    await running.settled();
  }, 90_000);

  test("a worker that hangs is replaced: its span is named, the stream goes on, others too", async () => {
    // Every call takes 0 to 2 times 50 ms; those beyond 75 ms are taken for hung.
    await using running = await Running.start({
      "model.workers": 2,
      "model.delay": 0.05,
      "model.jitter": 0.05,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 75,
      "model.seed": 3,
    });
    const codes = new Set<string>();
    let segments = 0;
    await Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        using peer = await running.connect({ path: "/api/v1/simple" });
        const bytes = encode("s16", speech([1], { seed: n }));
        peer.start();
        await peer.audio(bytes);
        peer.stop();
        await peer.next("stopped");
        expect(problemsOf(streamsOf(peer.events)[0]!, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
        for (const { code } of peer.all("error")) codes.add(code);
        segments += peer.all("segment").length;
      }),
    );
    expect([...codes]).toEqual(["inference_timeout"]);
    expect(segments).toBeGreaterThan(0);
    await running.settled();
  });

  test("a client that vanishes while its call hangs gives its memory back when the worker is replaced", async () => {
    await using running = await Running.start({
      "model.delay": 60,
      "model.warmup_penalty": 0,
      "model.inference_timeout_ms": 300,
    });
    const peer = await running.connect({ path: "/api/v1/simple" });
    peer.start();
    await peer.audio(encode("s16", speech([1])));
    await peer.next("started");
    peer.reset();
    await running.settled();
  });
});
