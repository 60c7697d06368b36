import { describe, expect, test } from "bun:test";

import type { Outcome } from "../../src/model/job.ts";
import { ORDERS, OVERTIME_MS } from "../support/models/puppet.ts";
import { modelPath, testPool } from "../support/pool-harness.ts";

const puppet = modelPath("puppet");

function ok(outcome: Outcome): Outcome & { status: "ok" } {
  if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
  return outcome;
}

function failed(outcome: Outcome): Outcome & { status: "failed" } {
  if (outcome.status !== "failed") throw new Error(JSON.stringify(outcome));
  return outcome;
}

describe("a pool with real workers", () => {
  test("an error that the model throws is reported with its message, and the worker continues", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    for (const [order, words] of [
      [ORDERS.throw, "the model's own words"],
      [ORDERS.laterThrow, "late words"],
    ] as const) {
      expect(failed(await kit.submit(lane, [order]))).toMatchObject({ code: "inference_failed", message: words });
    }
    ok(await kit.submit(lane, [0]));
    expect([kit.pool.load.spawns, kit.failures("inference_failed"), kit.crashes]).toEqual([1, 2, 0]);
    expect(kit.logged.filter(({ event }) => event === "inference_failed")).toHaveLength(1);
  });

  test("an output that JSON cannot represent, or with a reserved name, fails with the reason", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    for (const [order, words] of [
      [ORDERS.bigint, /"big" is a bigint/],
      [ORDERS.cycle, /contains itself/],
      [ORDERS.reserved, /"start_time"/],
      [ORDERS.nan, /"deep"\.level\[0\] is NaN/],
      [ORDERS.array, /plain object, not an array/],
    ] as const) {
      const { code, message } = failed(await kit.submit(lane, [order]));
      expect(code).toBe("inference_failed");
      expect(message).toMatch(words);
    }
  });

  test("a worker that exits fails only its own job, with a general message, and is replaced", async () => {
    await using kit = await testPool({ model: puppet, workers: 2 });
    const lane = kit.lane();
    const outcomes = await Promise.all([ORDERS.exit, 0, 0, 0].map((order) => kit.submit(lane, [order])));
    const { code, message } = failed(outcomes[0]!);
    expect([code, message]).toEqual(["worker_crashed", "the worker that ran the model crashed"]);
    for (const outcome of outcomes.slice(1)) ok(outcome);
    await kit.until(() => kit.pool.load.workersReady === 2);
    expect([kit.crashes, kit.pool.load.spawns]).toEqual([1, 3]);
    expect(kit.logged.find(({ event }) => event === "worker_crashed")?.fields).toMatchObject({
      cause: "the thread ended with exit code 3",
    });
    expect(kit.arena.used).toBe(0);
  });

  test("a worker that exits after its result does not change the result", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    ok(await kit.submit(lane, [ORDERS.answerThenDie]));
    await kit.until(() => kit.crashes === 1 && kit.pool.load.workersReady === 1);
    ok(await kit.submit(lane, [0]));
  });

  test("a call past its deadline fails and its worker is replaced, whether it waits or spins", async () => {
    await using kit = await testPool({ model: puppet, inferenceTimeoutMs: 250 });
    const lane = kit.lane();
    for (const order of [ORDERS.hang, ORDERS.spin]) {
      const outcome = failed(await kit.submit(lane, [order]));
      expect(outcome).toMatchObject({ code: "inference_timeout", message: "the model took longer than 250 ms" });
      ok(await kit.submit(lane, [0]));
    }
    expect([kit.deaths("timeout"), kit.crashes, kit.pool.load.spawns]).toEqual([2, 0, 3]);
    await kit.until(() => kit.arena.used === 0);
  });

  test("a worker stuck in native code, which cannot be terminated, is replaced while it is stuck", async () => {
    await using kit = await testPool({ model: puppet, inferenceTimeoutMs: 250 });
    const lane = kit.lane();
    expect(failed(await kit.submit(lane, [ORDERS.native])).code).toBe("inference_timeout");
    ok(await kit.submit(lane, [0]));
    expect([kit.pool.load.workersAbandoned, kit.pool.unavailable]).toEqual([1, undefined]);
    // Its audio is kept for as long as it may read it.
    expect(kit.arena.used).toBe(1);
    await kit.until(() => kit.arena.used === 0);
    expect(kit.pool.load.workersAbandoned).toBe(0);
  });

  test("messages that a model posts itself are not taken for results", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    expect(ok(await kit.submit(lane, [ORDERS.chatter])).output).toMatchObject({ count: 1 });
    expect(kit.logged.map(({ event }) => event)).toContain("strange_message");
  });

  test("a replacement gets the options of the lanes again", async () => {
    await using kit = await testPool({ model: puppet });
    const [german, plain] = [kit.lane({ language: "de" }), kit.lane()];
    const outcomes = await Promise.all([
      kit.submit(german, [ORDERS.optionsBack]),
      kit.submit(plain, [ORDERS.optionsBack]),
      kit.submit(german, [ORDERS.exit]),
      kit.submit(german, [ORDERS.optionsBack]),
    ]);
    expect(ok(outcomes[0]!).output).toMatchObject({ options: { language: "de" } });
    expect(ok(outcomes[1]!).output).toMatchObject({ options: null });
    expect(ok(outcomes[3]!).output).toMatchObject({ options: { language: "de" } });
  });

  test("a job whose worker died is called once more if the model is idempotent", async () => {
    await using kit = await testPool({ model: modelPath("idempotent") });
    const lane = kit.lane();
    const outcomes = await Promise.all([kit.submit(lane, [ORDERS.exit]), kit.submit(lane, [0])]);
    expect(failed(outcomes[0]!).code).toBe("worker_crashed");
    ok(outcomes[1]!);
    expect(kit.crashes).toBe(2);
    expect(kit.arena.used).toBe(0);
  });

  test("jobs of a closed lane are dropped; memory that a worker still reads is kept until it has finished", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    const pending = [ORDERS.overtime, 0, 0].map((order) => kit.submit(lane, [order]));
    await kit.until(() => kit.pool.load.workersBusy === 1);
    // The worker takes the call within this time, and is far from its end: one that it has not taken is withdrawn.
    await Bun.sleep(OVERTIME_MS / 3);
    lane.close();
    lane.close();
    expect(kit.arena.used).toBe(1);
    expect(await Promise.all(pending)).toEqual(Array(3).fill({ status: "dropped" }));
    expect(await kit.submit(lane, [0])).toEqual({ status: "dropped" });
    await kit.until(() => kit.arena.used === 0);
    expect([kit.pool.finalsPending, kit.pool.load.finalsWaiting]).toEqual([0, 0]);
  });

  test("a newer interim replaces a waiting one, a final drops it, and an interim beside a running one is dropped", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    const other = kit.lane();
    const busy = kit.submit(other, [ORDERS.pause]);
    const interim = (): Promise<Outcome> => kit.submit(lane, [ORDERS.pause], { kind: "interim" });
    const replaced = [interim(), interim()];
    const final = kit.submit(lane, [0]);
    expect(await Promise.all(replaced)).toEqual([{ status: "dropped" }, { status: "dropped" }]);
    ok(await busy);
    ok(await final);
    const running = interim();
    await kit.until(() => kit.pool.load.workersBusy === 1);
    expect(await interim()).toEqual({ status: "dropped" });
    expect(ok(await running).output).toMatchObject({ final: false });
  });

  test("an error thrown by one receiver of outcomes stops no other", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.lane();
    lane.submit({ kind: "final", start: 0, end: 0, audio: { slabs: [], offset: 0, length: 0 } }, () => {
      throw new Error("a fault of the receiver");
    });
    ok(await kit.submit(lane, [0]));
    expect(kit.logged.map(({ event }) => event)).toContain("settle_threw");
  });
});

describe("a batching model", () => {
  const model = modelPath("batching");

  test("jobs of several streams that wait at the same time go in one call", async () => {
    await using kit = await testPool({ model });
    const pending = Array.from({ length: 20 }, (_, i) => kit.submit(kit.lane(), [0, i]));
    const outcomes = (await Promise.all(pending)).map(ok);
    expect(outcomes.map(({ output }) => output?.["last"])).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(outcomes.map(({ batchSize }) => batchSize)).toEqual([...Array(16).fill(8), ...Array(4).fill(4)]);
    expect(kit.arena.used).toBe(0);
  });

  test("one bad job of a batch fails alone", async () => {
    await using kit = await testPool({ model });
    for (const bad of [ORDERS.throw, ORDERS.nan, ORDERS.exit]) {
      const pending = [0, bad, 0].map((order, i) => kit.submit(kit.lane(), [order, i]));
      expect((await Promise.all(pending)).map(({ status }) => status)).toEqual(["ok", "failed", "ok"]);
    }
    expect(kit.arena.used).toBe(0);
  });
});

describe("a stateful model", () => {
  const model = modelPath("summing");

  test("the state travels with the jobs from worker to worker", async () => {
    await using kit = await testPool({ model, workers: 2 });
    expect(kit.pool.info).toMatchObject({ stateful: true, maxBatch: 1, sampleRate: 16_000 });
    const lane = kit.lane();
    const begun = ok(await kit.submit(lane, [], { step: "start" }));
    expect(begun.output).toBeUndefined();
    const first = ok(await kit.submit(lane, [0, 2, 3, 4], { step: "step", state: begun.state }));
    expect(first.output).toEqual({ sum: 9, before: [] });
    const crashed = failed(await kit.submit(lane, [ORDERS.exit], { step: "step", state: first.state }));
    expect(crashed.code).toBe("worker_crashed");
    const second = ok(await kit.submit(lane, [0, 1], { step: "step", state: first.state }));
    expect(second.output).toEqual({ sum: 10, before: [0, 2, 3] });
    const silent = ok(await kit.submit(lane, [0], { step: "step", state: second.state }));
    expect(silent.output).toBeUndefined();
    expect(ok(await kit.submit(lane, [], { step: "finish", state: silent.state })).output).toEqual({ total: 10 });
    expect(kit.arena.used).toBe(0);
  });

  test("a start with audio makes the first step as well", async () => {
    await using kit = await testPool({ model });
    const lane = kit.lane();
    expect(ok(await kit.submit(lane, [0, 5], { step: "start" })).output).toEqual({ sum: 5, before: [] });
  });

  test("a state that cannot be cloned fails with the reason", async () => {
    await using kit = await testPool({ model });
    const lane = kit.lane();
    const { state } = ok(await kit.submit(lane, [], { step: "start" }));
    const { code, message } = failed(await kit.submit(lane, [ORDERS.bigint], { step: "step", state }));
    expect(code).toBe("inference_failed");
    expect(message).toContain("structured clone");
    ok(await kit.submit(lane, [0, 1], { step: "step", state }));
  });
});
