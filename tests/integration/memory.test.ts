import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";

import { BUILD_MS, Executable } from "../support/executable.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

let executable: Executable;
beforeAll(async () => {
  executable = await Executable.create();
}, BUILD_MS);

const MIB = 2 ** 20;
/** The memory that is kept when nothing is in use, and that of one running call, MiB. */
const KEPT = 5;

/** Shared memory of a process, MiB. */
function sharedMemory(pid: number): number {
  const [, kib = "NaN"] = /^RssShmem:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}

test("after a burst the memory of its audio is back with the system, as the metrics and the system show", async () => {
  await using server = await executable.serve({
    "model.workers": 1,
    "model.delay": 3_600,
    "model.warmup_penalty": 0,
    "limits.arena_mb": 128,
    "limits.read_ahead_seconds": 40,
    "limits.session_share": 1,
  });
  const metric = async (name: string) => (await ScrapedMetrics.from(server.url)).value(`streamer_arena_${name}_bytes`);
  expect(await metric("resident")).toBeLessThanOrEqual(KEPT * MIB);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: { channels: 16, sample_rate: 16_000, bit_depth: 16, is_float: false } });
  await client.nextEvent("started");
  // 40 s of 16 channels are 40 MiB in the memory.
  for (let second = 0; second < 40; second++) await client.sendAudio(Buffer.alloc(16 * 32_000));
  await waitUntil("audio to be kept", async () => (await metric("used")) > 8 * MIB);
  expect(await metric("resident")).toBeGreaterThan(8 * MIB);
  expect(sharedMemory(server.pid)).toBeGreaterThan(8);
  client.reset();
  await waitUntil("the memory to be back", async () => (await metric("resident")) <= KEPT * MIB);
  expect(await metric("used")).toBeLessThan(MIB);
  await waitUntil("the system to have it", () => sharedMemory(server.pid) <= KEPT + 1);
});

test("the size of the audio memory is in the log, in info and in the metrics", async () => {
  await using server = await executable.serve({ "limits.arena_mb": "auto" });
  const ready = () => server.log.find(({ event }) => event === "ready");
  await waitUntil("the server to log that it is ready", () => ready() !== undefined);
  const size = ready()?.["arena_mb"];
  expect(size).toBeGreaterThanOrEqual(16);
  const info = (await (await fetch(`${server.url}/api/v1/info`)).json()) as {
    limits: { arena_mb: number };
    live: { arena: { bytes: number; resident_bytes: number } };
  };
  expect(info.limits.arena_mb).toBe(Number(size));
  expect(info.live.arena.bytes).toBe(Number(size) * MIB);
  expect(info.live.arena.resident_bytes).toBeLessThanOrEqual(KEPT * MIB);
  const metrics = await ScrapedMetrics.from(server.url);
  expect(metrics.value("streamer_arena_capacity_bytes")).toBe(Number(size) * MIB);
});
