import { expect, setDefaultTimeout, test } from "bun:test";

import { freshSeed, seeded } from "../../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { growthOver } from "../../support/memory-growth.ts";
import { keepStreaming } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil } from "../../support/wait.ts";

const SECONDS = rounds(16, 300, 1_800);
const CLIENTS = 12;
const PATHS = ["simple", "segmented", "stateful"].map((name) => `/api/v1/${name}`);
const SAMPLES = 200;
/** MiB in the whole run. The short form is over before the memory of the first streams has settled. */
const MOST_GROWTH = rounds(60, 20);
/** Gauges of what is in use. */
const GAUGES = ["streamer_sessions_active", "streamer_streams_active", "streamer_arena_used_bytes"];

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(7_200_000);

const executable = await sharedExecutable();
const seed = freshSeed();

async function inUse(server: ServeProcess): Promise<number> {
  const metrics = await ScrapedMetrics.from(server.url);
  return GAUGES.reduce((sum, name) => sum + metrics.value(name), 0);
}

test(`memory, descriptors and threads stay as they are while streams come and go (seed ${seed})`, async () => {
  await prove("soak", async () => {
    await using server = await executable.serve({ "model.workers": 2, "model.delay": 0.002, "model.jitter": 0 });
    const random = seeded(seed);
    const before = server.handles;
    const end = performance.now() + SECONDS * 1_000;
    const isOver = (): boolean => performance.now() >= end;
    const load = Array.from({ length: CLIENTS }, (_, i) => {
      return keepStreaming(server, PATHS[i % PATHS.length] ?? "", random, isOver);
    });
    const samples: number[] = [];
    while (!isOver()) {
      await Bun.sleep((SECONDS * 1_000) / SAMPLES);
      samples.push(server.rssMib);
    }
    const totals = await Promise.all(load);
    await waitUntil("the end of everything in use", async () => (await inUse(server)) === 0);
    await waitUntil("the descriptors and threads of before", () => {
      const now = server.handles;
      return now.descriptors <= before.descriptors && now.threads <= before.threads;
    });
    const growth = growthOver(samples);
    expect(growth).toBeLessThanOrEqual(MOST_GROWTH);
    const streams = totals.reduce((sum, { streams }) => sum + streams, 0);
    const seen = (MOST_GROWTH * 1_024) / streams;
    return `${SECONDS} s, ${streams} streams exact, ${growth.toFixed(1)} MiB growth (a leak of ${seen.toFixed(1)} KiB a stream shows), nothing left`;
  });
});

test("a leak of what may be added in a run shows among garbage that comes and goes", () => {
  const garbage = Array.from({ length: SAMPLES }, (_, i) => 150 + (i % 7) * 10);
  expect(growthOver(garbage)).toBe(0);
  const leaking = garbage.map((mib, i) => mib + (1.2 * MOST_GROWTH * i) / SAMPLES);
  expect(growthOver(leaking)).toBeGreaterThan(MOST_GROWTH);
});
