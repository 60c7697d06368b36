import { expect, test } from "bun:test";

import { LoadWatch } from "../../src/server/load-watch.ts";
import type { ModelLoad } from "../../src/server/models.ts";
import { openLog } from "../../src/telemetry/log/log.ts";

/** A watch with loads that the test sets, and its log. */
function watchHarness() {
  const records: Record<string, unknown>[] = [];
  const models: { loads: ModelLoad[] } = { loads: [] };
  const log = openLog({ level: "debug", write: (line) => records.push(JSON.parse(line) as Record<string, unknown>) });
  return { models, records, watch: new LoadWatch({ models, log }) };
}

const FIRST: ModelLoad = { id: "", model: "./slow.ts", ready: 0, workers: 2 };

test("a load that lasts is logged every 10 s, with the workers that are ready", () => {
  const { watch, models, records } = watchHarness();
  models.loads = [FIRST];
  for (const now of [0, 9_999]) watch.check(now);
  expect(records).toEqual([]);
  watch.check(10_000);
  watch.check(15_000);
  models.loads = [{ ...FIRST, ready: 1, model: "slow" }];
  watch.check(20_100);
  expect(records).toMatchObject([
    { level: "info", event: "loading", model: "./slow.ts", workers_ready: 0, workers: 2, seconds: 10 },
    { level: "info", event: "loading", model: "slow", workers_ready: 1, workers: 2, seconds: 20 },
  ]);
  models.loads = [];
  watch.check(40_000);
  expect(records.slice(2)).toMatchObject([{ level: "info", event: "loaded", model: "slow", workers: 2, seconds: 40 }]);
  watch.check(60_000);
  expect(records).toHaveLength(3);
});

test("at the start of a server, a load is logged at once, and that it has ended", () => {
  const { watch, models, records } = watchHarness();
  watch.check(0, true);
  models.loads = [FIRST];
  for (const now of [500, 1_000, 10_499]) watch.check(now, true);
  expect(records).toMatchObject([{ event: "loading", model: "./slow.ts", workers_ready: 0, workers: 2, seconds: 0 }]);
  expect(watch.loads(2_500)).toEqual([{ model: "./slow.ts", workers_ready: 0, workers: 2, seconds: 2 }]);
  models.loads = [];
  watch.check(10_500);
  expect(records.slice(1)).toMatchObject([{ event: "loaded", model: "./slow.ts", workers: 2, seconds: 10 }]);
});

test("each load is timed by itself", () => {
  const { watch, models, records } = watchHarness();
  models.loads = [FIRST];
  watch.check(0);
  models.loads = [];
  watch.check(9_000);
  // Later, another worker takes long.
  models.loads = [FIRST, { id: "other", model: "other", ready: 1, workers: 3 }];
  watch.check(12_000);
  watch.check(21_000);
  expect(records).toEqual([]);
  watch.check(22_000);
  expect(records).toHaveLength(2);
});

test("the status line has every load and its seconds", () => {
  const { watch, models } = watchHarness();
  models.loads = [FIRST, { id: "b", model: "b", ready: 1, workers: 1 }];
  watch.check(1_000);
  expect(watch.describe(4_200)).toBe("loading ./slow.ts: 0 of 2 workers ready, 3 s  |  b: 1 of 1 workers ready, 3 s");
});
