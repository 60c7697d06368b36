import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { threadHost } from "../../src/pool/thread-host.ts";
import { modelPath, TestPool, testPool } from "../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const broken = modelPath("broken");

describe("a model that cannot be loaded fails the start of the pool with its name and the cause", () => {
  for (const [words, model, settings] of [
    [/"no-such" cannot be loaded: unknown model "no-such"; built in: simulated/, "no-such", {}],
    [/did you mean "simulated"\?/, "simulatd", {}],
    [/cannot be loaded: .*[Cc]annot find module/, "./no/such/file.ts", {}],
    [/no default export/, modelPath("nothing"), {}],
    [
      /load: found 5; allowed: a function; maxBatch: found 0; allowed: an integer from 1 to 1024/,
      modelPath("wrong"),
      {},
    ],
    [/no weights/, broken, { how: "throw" }],
    [/exit code 5/, broken, { how: "exit" }],
    [/exit code 0 before it was ready/, broken, { how: "exit0" }],
    [/needs a function infer\(\)/, broken, { how: "empty" }],
    [/cold/, broken, { how: "warm up" }],
    [/settings are refused: how: not like this/, broken, { how: "settings" }],
    [/delay: found "slow"; allowed: a number from 0 to 3600/, "simulated", { delay: "slow" }],
    [/not loaded and warm within 50 ms/, broken, { how: "hang" }],
  ] as const) {
    test(String(words), async () => {
      const loadTimeoutMs = "how" in settings && settings.how === "hang" ? 50 : 10_000;
      await using kit = new TestPool({ model, settings, loadTimeoutMs });
      await expect(kit.pool.ready).rejects.toThrow(words);
      expect(() => kit.lane()).toThrow("not ready");
    });
  }

  test("the program of the worker is missing", async () => {
    await using kit = new TestPool({
      model: "simulated",
      startHost: threadHost(new URL("nowhere.ts", import.meta.url)),
    });
    await expect(kit.pool.ready).rejects.toThrow(/ModuleNotFound/);
  });

  test("the model loads in the first worker but not in the second", async () => {
    await using kit = new TestPool({ model: broken, settings: { how: "second time" }, workers: 2 });
    await expect(kit.pool.ready).rejects.toThrow(/only once/);
  });
});

test("a path may be relative to the working folder", async () => {
  await using kit = await testPool({ model: "./tests/support/models/puppet.ts" });
  expect(kit.pool.info.name).toBe("puppet");
});

test("waiting jobs fail when no worker can be started any more", async () => {
  await using kit = await testPool({ model: broken, settings: { how: "second time" } });
  const lane = kit.lane();
  const outcomes = await Promise.all([kit.submit(lane, [2]), kit.submit(lane, [0]), kit.submit(lane, [0])]);
  expect(outcomes).toMatchObject([
    { code: "worker_crashed", message: "the worker that ran the model crashed" },
    { code: "model_unavailable", message: "the model is unavailable: no worker can be started; the log has the cause" },
    { code: "model_unavailable", message: expect.stringContaining("no worker can be started") },
  ]);
  expect(kit.arena.used).toBe(0);
  // Attempts to start a worker continue, with growing delays.
  await kit.until(() => kit.pool.load.spawns >= 4);
  expect(kit.logged.map(({ event }) => event)).toContain("load_failed");
});

test("closing a pool calls `close` of an idle model", async () => {
  const folder = mkdtempSync(join(tmpdir(), "streamer-model-"));
  try {
    const file = join(folder, "closed");
    const kit = await testPool({ model: broken, settings: { how: "close", file } });
    await kit.pool.close();
    expect(readFileSync(file, "utf8")).toBe("closed");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("closing a pool drops all open jobs, ends a hung worker, and logs nothing afterwards", async () => {
  const kit = await testPool({ model: modelPath("puppet") });
  const lane = kit.lane();
  const pending = [3, 0].map((order) => kit.submit(lane, [order]));
  await kit.until(() => kit.pool.load.workersBusy === 1);
  await Promise.all([kit.pool.close(), kit.pool.close()]);
  expect(await Promise.all(pending)).toEqual([{ status: "dropped" }, { status: "dropped" }]);
  expect(kit.arena.used).toBe(0);
  expect(kit.logged).toEqual([]);
  expect(() => kit.lane()).toThrow();
});

test("a pool that is closed while it loads is never ready", async () => {
  const kit = new TestPool({ model: "simulated" });
  await kit.pool.close();
  await expect(kit.pool.ready).rejects.toThrow("closed before it was ready");
});
