import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { PERILS } from "../support/models/perilous.ts";
import { modelPath } from "../support/pool-harness.ts";
import { childrenOf, isAlive, isStopped } from "../support/process-tree.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Models in processes of their own, with the executable. */

const executable = await sharedExecutable();

const BLOCK_SAMPLES = 320;
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
const SETTINGS: Settings = {
  "simple.block_ms": 20,
  "log.format": "json",
  "model.name": modelPath("perilous"),
  "model.isolation": "process",
  "model.workers": 2,
};

/** Samples of blocks that each start with one of the orders. */
function blocks(...orders: readonly number[]): Uint8Array {
  const samples = new Float32Array(orders.length * BLOCK_SAMPLES);
  for (const [i, order] of orders.entries()) samples[i * BLOCK_SAMPLES] = order;
  return new Uint8Array(samples.buffer);
}

/** Starts a stream whose first block keeps a worker from ending, and waits until the model has it. */
async function occupy(server: ServeProcess, peril: number): Promise<void> {
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(blocks(peril));
  await client.nextEvent("started");
  await Bun.sleep(200);
}

/** The processes below one, without itself. */
function descendants(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

async function untilGone(pids: readonly number[]): Promise<void> {
  await waitUntil("no process is left", () => pids.every((pid) => !isAlive(pid)));
}

describe("the processes of models end with their server", () => {
  test.each(["native", "stubborn", "spin", "parent"] as const)(
    "that is killed while one of them is stuck (%s)",
    async (peril) => {
      await using server = await executable.serve(SETTINGS);
      await occupy(server, PERILS[peril]);
      const pids = descendants(server.pid);
      expect(pids.length).toBe(peril === "parent" ? 3 : 2);
      server.signal("SIGKILL");
      await untilGone(pids);
    },
  );

  test("that is killed while they are stopped", async () => {
    await using server = await executable.serve(SETTINGS);
    const pids = descendants(server.pid);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    // The kernel continues those that are stopped by then.
    await waitUntil("the processes are stopped", () => pids.every(isStopped));
    server.signal("SIGKILL");
    await untilGone(pids);
  });

  test.each(["native", "none"])("that is killed while they load (%s)", async (load) => {
    await using server = executable.launch({ ...SETTINGS, "model.load": load });
    await waitUntil("a process", () => childrenOf(server.pid).length > 0);
    const pids = descendants(server.pid);
    server.signal("SIGKILL");
    await untilGone(pids);
  });

  test("that is one of several and is killed; the others keep theirs, and the new one starts its own", async () => {
    await using server = await executable.serve({ ...SETTINGS, "server.processes": 2, "model.workers": 1 });
    const [first = 0, second = 0] = childrenOf(server.pid);
    const [own, others] = [descendants(first), descendants(second)];
    expect([own.length, others.length]).toEqual([1, 1]);
    process.kill(first, "SIGKILL");
    await untilGone(own);
    expect(others.every(isAlive)).toBeTrue();
    await waitUntil("a new process with its model", () => descendants(server.pid).length === 4);
    const all = descendants(server.pid);
    process.kill(server.pid, "SIGKILL");
    await untilGone(all);
  });

  test("that is told to end while one of them is stuck, within the time that it has for that", async () => {
    await using server = await executable.serve({
      ...SETTINGS,
      "limits.drain_timeout_ms": 100,
      "limits.finish_ms": 100,
    });
    await occupy(server, PERILS.stubborn);
    const pids = descendants(server.pid);
    server.signal("SIGTERM");
    expect((await server.waitForExit()).code).toBe(0);
    await untilGone(pids);
  });
});

test("a model that crashes or hangs in its process costs the block that it had, and nothing else", async () => {
  const limits = { "model.inference_timeout_ms": 2_000, "model.workers": 1, "limits.max_in_flight_per_channel": 1 };
  await using server = await executable.serve({ ...SETTINGS, ...limits });
  using client = await server.connect({ path: "/api/v1/simple" });
  const { answer, segfault, exit, killed, native, garbage } = PERILS;
  const perils = [segfault, exit, killed, native, garbage];
  const audio = blocks(...perils.flatMap((peril) => [answer, peril]), answer);
  await client.sendStream(audio, { format: FORMAT });
  expectExactLedger(client.events, { bytes: audio.length, frameBytes: 4 });
  const codes = client.eventsOf("error").map(({ code }) => code);
  expect(codes).toEqual(["worker_crashed", "worker_crashed", "worker_crashed", "inference_timeout", "worker_crashed"]);
  expect(client.eventsOf("segment").length).toBe(perils.length + 1);
  const causes = server.log.filter(({ event }) => event === "worker_crashed").map(({ cause }) => cause);
  expect(causes.length).toBeGreaterThan(0);
});

test("what a model prints in its process is in the log, and on no other output", async () => {
  await using server = await executable.serve({ ...SETTINGS, "model.workers": 1 });
  await occupy(server, PERILS.print);
  await waitUntil(
    "the lines are in the log",
    () => server.log.filter(({ event }) => event === "model_output").length === 2,
  );
  const lines = server.log.filter(({ event }) => event === "model_output");
  expect(lines).toContainEqual({
    ...{ level: "info", time: expect.any(String), event: "model_output", worker: 0 },
    ...{ model: "perilous", stream: "stdout", text: "to standard output" },
  });
  expect(server.out.trim().split("\n").length).toBe(1);
});

test("a process of a model has the variables that are configured for it", async () => {
  await using server = await executable.serve({ ...SETTINGS, "model.workers": 1, "model.env.Cuda_Order": "0,1" }, [], {
    STREAMER__MODEL__ENV__OMP_NUM_THREADS: "2",
    STREAMER__LOG__LEVEL: "debug",
    HOME: "/nowhere",
  });
  using client = await server.connect({ path: "/api/v1/simple" });
  await client.sendStream(blocks(PERILS.environment), { format: FORMAT });
  const [{ environment } = { environment: [] }] = client.eventsOf("segment") as unknown as { environment: string[] }[];
  expect(environment.filter((line) => line !== "").toSorted()).toEqual([
    "BUN_ENABLE_CRASH_REPORTING=0",
    "Cuda_Order=0,1",
    "HOME=/nowhere",
    "OMP_NUM_THREADS=2",
  ]);
});
