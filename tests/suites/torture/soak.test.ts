import { expect, setDefaultTimeout, test } from "bun:test";

import { freshSeed, seeded } from "../../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { keepStreaming } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil } from "../../support/wait.ts";

const SECONDS = rounds(16, 1_800);
const CLIENTS = 12;
const PATHS = ["simple", "segmented", "stateful"].map((name) => `/api/v1/${name}`);
/** The second half may need so much more than the first, in MiB: what the allocator keeps. */
const MOST_GROWTH = 20;
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
      await Bun.sleep((SECONDS * 1_000) / 40);
      samples.push(server.rssMib);
    }
    const totals = await Promise.all(load);
    await waitUntil("the end of everything in use", async () => (await inUse(server)) === 0);
    await waitUntil("the descriptors and threads of before", () => {
      const now = server.handles;
      return now.descriptors <= before.descriptors && now.threads <= before.threads;
    });
    // The first quarter is the warm-up.
    const quarter = Math.floor(samples.length / 4);
    const growth = peak(samples.slice(-2 * quarter)) - peak(samples.slice(quarter, 2 * quarter));
    expect(growth).toBeLessThanOrEqual(MOST_GROWTH);
    const streams = totals.reduce((sum, { streams }) => sum + streams, 0);
    return `${SECONDS} s, ${streams} streams exact, ${growth.toFixed(1)} MiB growth, nothing left`;
  });
});

function peak(samples: readonly number[]): number {
  return Math.max(...samples);
}
