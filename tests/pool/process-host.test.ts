import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { MAX_OUTPUT_LINE, MAX_OUTPUT_LINES } from "../../src/pool/child-output.ts";
import { EncodedState } from "../../src/pool/encoded-state.ts";
import { type OutputLine, processHost } from "../../src/pool/process-host.ts";
import { MAX_HEADER_BYTES } from "../../src/worker/child/frames.ts";
import { PERILS } from "../support/models/perilous.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { launchProcess, modelPath, type TestPool, testPool, type TestPoolOptions } from "../support/pool-harness.ts";
import { childrenOf, isAlive } from "../support/process-tree.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const TIMEOUT_MS = 1_500;

/** A pool with workers in processes, and what they have printed. */
async function processPool(
  options: Partial<TestPoolOptions> = {},
): Promise<TestPool & { readonly printed: OutputLine[] }> {
  const printed: OutputLine[] = [];
  const startHost = processHost(launchProcess, (line) => printed.push(line));
  const kit = await testPool({ model: modelPath("perilous"), startHost, ...options });
  return Object.assign(kit, { printed });
}

async function pidOf(kit: TestPool): Promise<number> {
  const outcome = await kit.submit(kit.lane(), [PERILS.answer]);
  return outcome.status === "ok" ? Number(outcome.output?.["pid"]) : -1;
}

describe("a model that ends its process costs one call", () => {
  test.each([
    ["segfault", /SIGSEGV|SIGTRAP|SIGILL|SIGABRT|exit code 1/],
    ["abort", /SIGABRT|SIGTRAP|SIGILL/],
    ["exit", /^the process ended with exit code 7$/],
    ["memory", /SIG|exit code/],
    ["malloc", /SIG|exit code/],
    ["killed", /^the process was ended by SIGKILL, as by the system when memory runs out$/],
    ["uncaught", /^outside of any call$/],
    ["scribble", /SIGSEGV|SIGTRAP|SIGILL|SIGABRT|SIGBUS/],
  ] as const)("%s", async (peril, cause) => {
    await using kit = await processPool();
    const before = await pidOf(kit);
    const lane = kit.lane();
    expect(await kit.submit(lane, [PERILS[peril]])).toMatchObject({ status: "failed", code: "worker_crashed" });
    const after = await pidOf(kit);
    expect(after).toBeGreaterThan(0);
    expect(after).not.toBe(before);
    expect(kit.logged.map(({ event }) => event)).toEqual(["worker_crashed"]);
    expect(String(kit.logged[0]?.fields?.["cause"])).toMatch(cause);
    expect(kit.crashes).toBe(1);
    expect(kit.arena.used).toBe(0);
  });

  test.each(["spin", "stubborn"] as const)(
    "%s, after the time for a call; its samples are held until its process has ended",
    async (peril) => {
      const others = childrenOf(process.pid);
      await using kit = await processPool({ inferenceTimeoutMs: TIMEOUT_MS });
      const before = await pidOf(kit);
      expect(await kit.submit(kit.lane(), [PERILS[peril]])).toMatchObject({ code: "inference_timeout" });
      while (isAlive(before)) {
        const seen = [kit.arena.used, childrenOf(process.pid).filter((pid) => !others.includes(pid))];
        // The next one is started when this one has ended.
        if (isAlive(before)) expect(seen).toEqual([1, [before]]);
        await Bun.sleep(1);
      }
      const after = await pidOf(kit);
      expect(after).not.toBe(before);
      expect(kit.arena.used).toBe(0);
    },
  );

  test.each(["segfault", "killed"] as const)("of an idempotent model not even that (%s)", async (peril) => {
    const folder = mkdtempSync(join(tmpdir(), "streamer-once-"));
    try {
      const settings = { once: join(folder, "once") };
      await using kit = await processPool({ model: modelPath("idempotent-perilous"), settings });
      expect(await kit.submit(kit.lane(), [PERILS[peril]])).toMatchObject({
        status: "ok",
        output: { repeated: true },
      });
      expect(kit.crashes).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a process whose model cannot be loaded", () => {
  const launch = (load: string, limits: Partial<TestPoolOptions> = {}) =>
    processPool({ settings: { load }, ...limits });

  test("by a segmentation fault: the pool reports how it ended", async () => {
    await expect(launch("segfault")).rejects.toThrow(/cannot be loaded: the process .* before it was ready$/);
  });

  test("because its program is none for this system is reported in words", async () => {
    const folder = mkdtempSync(join(tmpdir(), "streamer-program-"));
    try {
      const path = join(folder, "python");
      writeFileSync(path, "hello\n", { mode: 0o755 });
      const startHost = processHost(
        () => ({ command: [path], environment: {} }),
        () => {},
      );
      await expect(processPool({ startHost })).rejects.toThrow(
        `cannot be loaded: ${path} cannot be run: it is no program for this system (ENOEXEC)`,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("because it is stuck in native code is ended when the time for the load is over", async () => {
    const before = childrenOf(process.pid);
    await expect(launch("native", { loadTimeoutMs: TIMEOUT_MS })).rejects.toThrow("load_timeout_ms");
    await waitUntil("no process is left", () => childrenOf(process.pid).every((pid) => before.includes(pid)));
  });
});

describe("the channel of a process", () => {
  test.each([
    ["garbage", `header: found 1952540791 bytes; allowed: at most ${MAX_HEADER_BYTES}`],
    ["long", `header: found 4294967295 bytes; allowed: at most ${MAX_HEADER_BYTES}`],
    ["forged", "done: found call 12345; allowed: "],
  ] as const)("that its model writes to (%s) costs the call, and the log has the reason", async (peril, words) => {
    await using kit = await processPool();
    expect(await kit.submit(kit.lane(), [PERILS[peril]])).toMatchObject({ code: "worker_crashed" });
    expect(String(kit.logged[0]?.fields?.["cause"])).toStartWith(
      `its process sent a broken message over descriptor 3: ${words}`,
    );
    expect(await pidOf(kit)).toBeGreaterThan(0);
  });
});

describe("what a model prints in its process", () => {
  test("is reported by line, with worker and stream", async () => {
    await using kit = await processPool();
    await kit.submit(kit.lane(), [PERILS.print]);
    await kit.until(() => kit.printed.length === 2);
    expect(kit.printed.toSorted((a, b) => (a.stream < b.stream ? 1 : -1))).toEqual([
      { stream: "stdout", text: "to standard output", leftOut: 0, worker: 0, name: "perilous" },
      { stream: "stderr", text: "to standard error", leftOut: 0, worker: 0, name: "perilous" },
    ]);
  });

  test("is limited in lines and in their length, and does not disturb its calls", async () => {
    await using kit = await processPool({ inferenceTimeoutMs: 120_000 });
    const { rss } = process.memoryUsage();
    expect(await kit.submit(kit.lane(), [PERILS.flood])).toMatchObject({ status: "ok" });
    await kit.submit(kit.lane(), [PERILS.print]);
    await kit.until(() => kit.printed.some(({ leftOut }) => leftOut > 0));
    expect(Math.max(...kit.printed.map(({ text }) => text.length))).toBeLessThanOrEqual(MAX_OUTPUT_LINE);
    expect(kit.printed[MAX_OUTPUT_LINES - 1]?.text).toStartWith(`line ${MAX_OUTPUT_LINES - 1} `);
    expect(process.memoryUsage().rss - rss).toBeLessThan(200 * 1024 * 1024);
  });
});

describe("what a process inherits", () => {
  test("is no variable of the server but those on the list, and those that are configured", async () => {
    const secrets = {
      STREAMER__AUTH__TOKENS: "file",
      OTEL_EXPORTER_OTLP_HEADERS: "secret",
      AWS_SECRET_ACCESS_KEY: "key",
    };
    Object.assign(process.env, secrets);
    try {
      await using kit = await processPool();
      const outcome = await kit.submit(kit.lane(), [PERILS.environment]);
      const text = JSON.stringify(outcome);
      expect(text).toContain("PATH=");
      for (const name of Object.keys(secrets)) expect(text).not.toContain(name);
    } finally {
      for (const name of Object.keys(secrets)) delete process.env[name];
    }
  });

  test("is the audio for reading only, and no descriptor but the channel", async () => {
    await using kit = await processPool();
    const maps = await kit.submit(kit.lane(), [PERILS.memoryMaps]);
    expect(JSON.stringify(maps)).toMatch(/ r--s /);
    expect(JSON.stringify(maps)).not.toMatch(/ rw-s /);
    const pid = await pidOf(kit);
    const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(files.filter((file) => /memfd|arena|libstreamer/.test(file))).toEqual([]);
    // Standard output, standard error and the channel.
    expect(files.filter((file) => file.startsWith("socket:")).length).toBe(3);
  });
});

test("a pool that is closed while a model is stuck ends in bounded time, and leaves no process", async () => {
  const before = childrenOf(process.pid);
  const kit = await processPool({ workers: 2 });
  void kit.submit(kit.lane(), [PERILS.stubborn]);
  void kit.submit(kit.lane(), [PERILS.parent]);
  await Bun.sleep(100);
  const children = childrenOf(process.pid).filter((pid) => !before.includes(pid));
  expect(children.length).toBe(2);
  const grandchildren = children.flatMap(childrenOf);
  await kit.pool.close();
  await waitUntil("all have ended", () => [...children, ...grandchildren].every((pid) => !isAlive(pid)));
});

test("a state that cannot be passed between processes fails its step with the reason, and the process goes on", async () => {
  await using kit = await processPool({ model: modelPath("summing") });
  const lane = kit.lane();
  const started = await kit.submit(lane, [0, 1], { step: "start" });
  const state = started.status === "ok" ? started.state : undefined;
  expect(state).toBeInstanceOf(EncodedState);
  const strange = await kit.submit(lane, [ORDERS.bigint], { step: "step", state });
  expect(strange).toMatchObject({
    code: "inference_failed",
    message: "the model's state cannot be passed between workers by structured clone: state.strange is a function",
  });
  expect(await kit.submit(lane, [0, 2], { step: "step", state })).toMatchObject({ status: "ok", output: { sum: 3 } });
  expect(kit.crashes).toBe(0);
});

test("the memory of processes is in the metrics of their model, as long as they run", async () => {
  await using kit = await processPool({ workers: 2 });
  expect(kit.processBytes).toBeGreaterThan(20 * 1024 * 1024);
  await kit.pool.close();
  expect(kit.processBytes).toBe(0);
});

test("a process and what it holds are gone when it has ended: no descriptor is left after many deaths", async () => {
  await using kit = await processPool();
  await kit.submit(kit.lane(), [PERILS.exit]);
  await pidOf(kit);
  const before = readdirSync("/proc/self/fd").length;
  for (let death = 0; death < 5; death++) {
    await kit.submit(kit.lane(), [PERILS.exit]);
    await pidOf(kit);
  }
  await waitUntil("no more files are open", () => readdirSync("/proc/self/fd").length <= before);
});
