import { expect, test } from "bun:test";

import { ModelWatch } from "../../src/server/model-watch.ts";
import type { ModelOutage } from "../../src/server/models.ts";
import { openLog } from "../../src/telemetry/log/log.ts";

const STUCK: ModelOutage = { model: "m", cause: "stuck", reason: "3 threads", message: 'model "m": 3 threads' };

/** A watch, its log, and the reason to end the process when there is one. */
function watchHarness(stuckExitMs: number) {
  const records: Record<string, unknown>[] = [];
  const models: { outage: ModelOutage | undefined } = { outage: undefined };
  const log = openLog({ level: "debug", write: (line) => records.push(JSON.parse(line) as Record<string, unknown>) });
  const watch = new ModelWatch({ models, stuckExitMs, log });
  const harness = { watch, models, records, expired: undefined as string | undefined };
  void watch.expired.then((reason) => (harness.expired = reason));
  return harness;
}

test("a stuck model is logged loudly once, and ends the process after the time", async () => {
  const harness = watchHarness(1000);
  const { watch, models, records } = harness;
  watch.check(0);
  models.outage = STUCK;
  for (const now of [500, 1000, 1499]) watch.check(now);
  await Promise.resolve();
  expect(harness.expired).toBeUndefined();
  expect(records).toMatchObject([
    { level: "error", event: "model_unavailable", model: "m", reason: "3 threads", exit_in_ms: 1000 },
  ]);
  watch.check(1500);
  await Promise.resolve();
  expect(harness.expired).toBe('model "m": 3 threads');
});

test("the time starts again when the model was available meanwhile", async () => {
  const harness = watchHarness(1000);
  const { watch, models, records } = harness;
  models.outage = STUCK;
  watch.check(0);
  models.outage = undefined;
  watch.check(900);
  models.outage = STUCK;
  watch.check(1000);
  watch.check(1900);
  await Promise.resolve();
  expect(harness.expired).toBeUndefined();
  const events = records.map(({ level, event }) => [level, event]);
  expect(events).toEqual([
    ["error", "model_unavailable"],
    ["info", "model_available"],
    ["error", "model_unavailable"],
  ]);
});

test("a limit of 0, and a model that cannot be loaded, do not end the process", async () => {
  const [never, loading] = [watchHarness(0), watchHarness(1000)];
  never.models.outage = STUCK;
  loading.models.outage = { ...STUCK, cause: "load" };
  for (const { watch } of [never, loading]) for (const now of [0, 3_600_000]) watch.check(now);
  await Promise.resolve();
  expect([never.expired, loading.expired]).toEqual([undefined, undefined]);
  for (const { records } of [never, loading]) expect(records).toMatchObject([{ event: "model_unavailable" }]);
  expect(loading.records[0]).not.toHaveProperty("exit_in_ms");
});
