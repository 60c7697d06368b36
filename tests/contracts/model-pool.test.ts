import { describe, expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import type { Outcome } from "../../src/model/job.ts";
import { ORDERS } from "../support/models/puppet.ts";
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
  test("a span over several slabs reaches the model whole and in order", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    const samples = Float32Array.from({ length: 10_000 }, (_, i) => (i === 0 ? 0 : i / 16_384));
    const { output, batchSize, worker, queueMs, inferMs } = ok(await kit.submit(lane, samples));
    expect(output).toEqual({ count: 10_000, last: 9999 / 16_384, final: true });
    expect([batchSize, worker]).toEqual([1, 0]);
    expect(queueMs).toBeGreaterThanOrEqual(0);
    expect(inferMs).toBeGreaterThanOrEqual(0);
    expect(kit.arena.used).toBe(0);
  });

  test("what a model writes into its audio changes nothing for anyone else", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    const audio = kit.write([ORDERS.scribble, 1, 2]);
    const submit = (): Promise<Outcome> =>
      new Promise((resolve) =>
        lane.submit({ kind: "final", start: 0, end: audio.length, audio }, (outcome) => resolve(outcome)),
      );
    await submit();
    expect(ok(await submit()).output).toMatchObject({ last: 2 });
    const first = audio.slabs[0]! * Arena.SLAB_SAMPLES + 10;
    expect([...kit.arena.samples.subarray(first, first + 3)]).toEqual([ORDERS.scribble, 1, 2]);
  });

  test("a throw in the model is answered with its own words, and its worker goes on", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    for (const [order, words] of [
      [ORDERS.throw, "the model's own words"],
      [ORDERS.laterThrow, "late words"],
    ] as const) {
      expect(failed(await kit.submit(lane, [order]))).toMatchObject({ code: "inference_failed", message: words });
    }
    ok(await kit.submit(lane, [0]));
    expect(kit.pool.stats).toMatchObject({ spawns: 1, failures: 2, crashes: 0 });
    expect(kit.logged.filter(({ event }) => event === "inference_failed")).toHaveLength(1);
  });

  test("an output that JSON cannot carry, or that takes a name of the protocol, is refused in words", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
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

  test("a model that answers later, or makes sound, is heard", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    expect(ok(await kit.submit(lane, [ORDERS.later, 1])).output).toMatchObject({ count: 2 });
    const { output, audio } = ok(await kit.submit(lane, [ORDERS.sound, 1]));
    expect(output).toEqual({ count: 2, last: 1, final: true });
    expect(audio).toEqual({ samples: Float32Array.of(ORDERS.sound / 2, 0.5), sampleRate: 8000 });
    const own = ok(await kit.submit(lane, [ORDERS.own, 4]));
    expect(own.audio).toEqual({ samples: Float32Array.of(ORDERS.own, 4), sampleRate: 16_000 });
    ok(await kit.submit(lane, [0]));
  });

  test("a worker that exits costs its own piece, answered in general words, and is replaced", async () => {
    await using kit = await testPool({ model: puppet, workers: 2 });
    const lane = kit.pool.lane({}, undefined);
    const outcomes = await Promise.all([ORDERS.exit, 0, 0, 0].map((order) => kit.submit(lane, [order])));
    const { code, message } = failed(outcomes[0]!);
    expect([code, message]).toEqual(["worker_crashed", "the worker that ran the model crashed"]);
    for (const outcome of outcomes.slice(1)) ok(outcome);
    await kit.until(() => kit.pool.stats.workersReady === 2);
    expect(kit.pool.stats).toMatchObject({ crashes: 1, spawns: 3 });
    expect(kit.logged.find(({ event }) => event === "worker_crashed")?.fields).toMatchObject({
      cause: "the thread ended with exit code 3",
    });
    expect(kit.arena.used).toBe(0);
  });

  test("a worker that dies after its answer does not take the answer back", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    ok(await kit.submit(lane, [ORDERS.answerThenDie]));
    await kit.until(() => kit.pool.stats.crashes === 1 && kit.pool.stats.workersReady === 1);
    ok(await kit.submit(lane, [0]));
  });

  test("a call past its deadline is answered, and its worker is replaced, whether it waits or spins", async () => {
    await using kit = await testPool({ model: puppet, inferenceTimeoutMs: 250 });
    const lane = kit.pool.lane({}, undefined);
    for (const order of [ORDERS.hang, ORDERS.spin]) {
      const outcome = failed(await kit.submit(lane, [order]));
      expect(outcome).toMatchObject({ code: "inference_timeout", message: "the model took longer than 250 ms" });
      ok(await kit.submit(lane, [0]));
    }
    expect(kit.pool.stats).toMatchObject({ timeouts: 2, crashes: 0, spawns: 3 });
    await kit.until(() => kit.arena.used === 0);
  });

  test("a worker stuck in native code, which nothing can end, gets a successor while it is stuck", async () => {
    await using kit = await testPool({ model: puppet, inferenceTimeoutMs: 250 });
    const lane = kit.pool.lane({}, undefined);
    expect(failed(await kit.submit(lane, [ORDERS.native])).code).toBe("inference_timeout");
    ok(await kit.submit(lane, [0]));
    expect(kit.logged.map(({ event }) => event)).toContain("worker_stuck");
    // Its audio is kept for as long as it could read it.
    expect(kit.arena.used).toBe(1);
    await kit.until(() => kit.arena.used === 0);
  });

  test("messages that a model sends by itself are not taken for answers", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    expect(ok(await kit.submit(lane, [ORDERS.chatter])).output).toMatchObject({ count: 1 });
    expect(kit.logged.map(({ event }) => event)).toContain("strange_message");
  });

  test("each lane's options and each piece's trace reach the model", async () => {
    await using kit = await testPool({ model: puppet });
    const [german, plain] = [kit.pool.lane(1, { language: "de" }), kit.pool.lane(2, undefined)];
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const outcomes = await Promise.all([
      kit.submit(german, [ORDERS.optionsBack], { traceparent }),
      kit.submit(plain, [ORDERS.optionsBack]),
      kit.submit(german, [ORDERS.exit]),
      kit.submit(german, [ORDERS.optionsBack]),
    ]);
    expect(ok(outcomes[0]!).output).toEqual({ options: { language: "de" }, traceparent });
    expect(ok(outcomes[1]!).output).toEqual({ options: null, traceparent: null });
    expect(ok(outcomes[3]!).output).toEqual({ options: { language: "de" }, traceparent: null });
  });

  test("work of a worker that died is tried once more when the model may be asked twice", async () => {
    await using kit = await testPool({ model: modelPath("idempotent") });
    const lane = kit.pool.lane({}, undefined);
    const outcomes = await Promise.all([kit.submit(lane, [ORDERS.exit]), kit.submit(lane, [0])]);
    expect(failed(outcomes[0]!).code).toBe("worker_crashed");
    ok(outcomes[1]!);
    expect(kit.pool.stats.crashes).toBe(2);
    expect(kit.arena.used).toBe(0);
  });

  test("a closed lane's work is dropped; memory that a worker still reads is kept until it has done", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    const work = [ORDERS.pause, 0, 0].map((order) => kit.submit(lane, [order]));
    await kit.until(() => kit.pool.stats.workersBusy === 1);
    lane.close();
    lane.close();
    expect(kit.arena.used).toBe(1);
    expect(await Promise.all(work)).toEqual(Array(3).fill({ status: "dropped" }));
    expect(await kit.submit(lane, [0])).toEqual({ status: "dropped" });
    await kit.until(() => kit.arena.used === 0);
    expect(kit.pool.stats).toMatchObject({ lanes: 0, finalsPending: 0, finalsWaiting: 0 });
  });

  test("a newer interim replaces a waiting one, a final drops it, and none is accepted beside a running one", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    const other = kit.pool.lane({}, undefined);
    const busy = kit.submit(other, [ORDERS.pause]);
    const interim = (): Promise<Outcome> => kit.submit(lane, [ORDERS.pause], { kind: "interim" });
    const replaced = [interim(), interim()];
    const final = kit.submit(lane, [0]);
    expect(await Promise.all(replaced)).toEqual([{ status: "dropped" }, { status: "dropped" }]);
    ok(await busy);
    ok(await final);
    const running = interim();
    await kit.until(() => kit.pool.stats.workersBusy === 1);
    expect(await interim()).toEqual({ status: "dropped" });
    expect(ok(await running).output).toMatchObject({ final: false });
  });

  test("a settle that throws stops nobody else's", async () => {
    await using kit = await testPool({ model: puppet });
    const lane = kit.pool.lane({}, undefined);
    lane.submit({ kind: "final", start: 0, end: 0, audio: { slabs: [], offset: 0, length: 0 } }, () => {
      throw new Error("a session's own fault");
    });
    ok(await kit.submit(lane, [0]));
    expect(kit.logged.map(({ event }) => event)).toContain("settle_threw");
  });
});

describe("a batching model", () => {
  const model = modelPath("batching");

  test("pieces of several sessions that wait together go out together", async () => {
    await using kit = await testPool({ model });
    const work = Array.from({ length: 20 }, (_, i) => kit.submit(kit.pool.lane(i, undefined), [0, i]));
    const outcomes = (await Promise.all(work)).map(ok);
    expect(outcomes.map(({ output }) => output?.["last"])).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(outcomes.map(({ batchSize }) => batchSize)).toEqual([...Array(16).fill(8), ...Array(4).fill(4)]);
    expect(kit.arena.used).toBe(0);
  });

  test("one bad piece does not cost the others of its batch theirs", async () => {
    await using kit = await testPool({ model });
    for (const bad of [ORDERS.throw, ORDERS.nan, ORDERS.exit]) {
      const work = [0, bad, 0].map((order, i) => kit.submit(kit.pool.lane(i, undefined), [order, i]));
      expect((await Promise.all(work)).map(({ status }) => status)).toEqual(["ok", "failed", "ok"]);
    }
    expect(kit.arena.used).toBe(0);
  });
});

describe("a stateful model", () => {
  const model = modelPath("summing");

  test("the state travels with the work from worker to worker", async () => {
    await using kit = await testPool({ model, workers: 2 });
    expect(kit.pool.info).toMatchObject({ stateful: true, maxBatch: 1, sampleRate: 16_000 });
    const lane = kit.pool.lane({}, undefined);
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

  test("a start with audio goes on to its first step", async () => {
    await using kit = await testPool({ model });
    const lane = kit.pool.lane({}, undefined);
    expect(ok(await kit.submit(lane, [0, 5], { step: "start" })).output).toEqual({ sum: 5, before: [] });
  });

  test("a state that cannot travel is refused in words", async () => {
    await using kit = await testPool({ model });
    const lane = kit.pool.lane({}, undefined);
    const { state } = ok(await kit.submit(lane, [], { step: "start" }));
    const { code, message } = failed(await kit.submit(lane, [ORDERS.bigint], { step: "step", state }));
    expect(code).toBe("inference_failed");
    expect(message).toContain("structured clone");
    ok(await kit.submit(lane, [0, 1], { step: "step", state }));
  });
});
