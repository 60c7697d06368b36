import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { JobResult } from "../../src/model/job.ts";
import type { Lane } from "../../src/pool/lane.ts";
import { FIRST_BACKOFF_MS } from "../../src/pool/restarts.ts";
import { TERMINATE_GRACE_MS } from "../../src/pool/worker-slot.ts";
import { takeSnapshot } from "../../src/telemetry/metrics/metric-snapshot.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { ScriptedPool, turn } from "../support/scripted-pool.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

test("jobs that are submitted together go in one call, finals before interims", async () => {
  const kit = new ScriptedPool({ maxBatch: 2 });
  void kit.submit(kit.lane(), [0], { kind: "interim" });
  void kit.submit(kit.lane(), [0]);
  void kit.submit(kit.lane(), [0]);
  await turn();
  expect(kit.hosts.last.calls.map(({ jobs }) => jobs.map(({ job }) => job.kind))).toEqual([["final", "final"]]);
  kit.hosts.last.answer();
  expect(kit.hosts.last.calls.at(-1)?.jobs.map(({ job }) => job.kind)).toEqual(["interim"]);
});

test("a host gets the number and the options of each lane, and forgets lanes with options that are closed", async () => {
  const kit = new ScriptedPool();
  const [plain, german] = [kit.lane(), kit.lane("de")];
  await kit.add(plain);
  kit.hosts.last.answer();
  await kit.add(german);
  const lanes = kit.hosts.last.calls.map(({ jobs }) => jobs[0]!.lane);
  expect(lanes.map(({ options }) => options)).toEqual([undefined, "de"]);
  plain.close();
  german.close();
  expect(kit.hosts.last.forgotten).toEqual([lanes[1]!.number]);
});

describe("the samples of a job are held", () => {
  test("until its result", async () => {
    const kit = new ScriptedPool();
    await kit.add(kit.lane());
    expect(kit.arena.used).toBe(1);
    kit.hosts.last.answer({ output: { text: "a" } });
    await turn();
    expect([kit.arena.used, kit.outcomes[0]]).toEqual([0, expect.objectContaining({ output: { text: "a" } })]);
  });

  test("until its call has ended, also if its lane is closed before", async () => {
    const kit = new ScriptedPool();
    const lane = kit.lane();
    await kit.add(lane);
    await kit.add(lane);
    lane.close();
    await turn();
    expect([kit.outcomes, kit.arena.used]).toEqual([[{ status: "dropped" }, { status: "dropped" }], 1]);
    kit.hosts.last.answer();
    await turn();
    expect([kit.outcomes.length, kit.arena.used]).toEqual([2, 0]);
  });

  test("until the host has ended if the call exceeds its time, though the job has failed", async () => {
    const kit = new ScriptedPool();
    await kit.add(kit.lane());
    const [host] = kit.hosts.started;
    kit.clock.advance(99);
    expect(host!.terminated).toBe(false);
    kit.clock.advance(1);
    await turn();
    expect(kit.outcomes).toEqual([
      {
        status: "failed",
        code: "inference_timeout",
        message: "the model took longer than 100 ms",
        queueMs: 0,
        inferMs: 100,
      },
    ]);
    expect([host!.closing, host!.terminated, kit.arena.used]).toEqual([true, false, 1]);
    // A late answer is ignored: the samples are held until the host has ended.
    host!.answer();
    await turn();
    expect(kit.arena.used).toBe(1);
    host!.exit();
    await turn();
    expect([kit.arena.used, kit.outcomes.length, kit.hosts.started.length]).toEqual([0, 1, 2]);
  });
});

describe("a host that exits", () => {
  test("fails the jobs of its call", async () => {
    const kit = new ScriptedPool();
    await kit.add(kit.lane());
    kit.hosts.last.exit();
    await turn();
    expect(kit.outcomes).toMatchObject([{ status: "failed", code: "worker_crashed" }]);
    expect([kit.arena.used, kit.crashes]).toEqual([0, 1]);
  });

  test("has its finals called once more, each alone, if the model is idempotent", async () => {
    const kit = new ScriptedPool({ idempotent: true, maxBatch: 2 });
    const [first, second] = [kit.lane(), kit.lane()];
    void kit.submit(first, [0]).then((outcome) => kit.outcomes.push(outcome));
    await kit.add(second);
    kit.hosts.last.exit();
    kit.hosts.last.becomeReady({ idempotent: true, maxBatch: 2 });
    await turn();
    expect(kit.hosts.last.calls.map(({ jobs }) => jobs.length)).toEqual([1]);
    kit.hosts.last.answer();
    kit.hosts.last.exit();
    await turn();
    expect(kit.outcomes.map(({ status }) => status)).toEqual(["ok", "failed"]);
    expect(kit.arena.used).toBe(0);
  });

  test("fails all waiting jobs when no other can be started", async () => {
    const kit = new ScriptedPool();
    const lane = kit.lane();
    await kit.add(lane);
    await kit.add(lane);
    kit.hosts.last.exit();
    kit.hosts.last.exit({ cause: "no weights" });
    await turn();
    expect(kit.outcomes.map((outcome) => outcome.status === "failed" && outcome.message)).toEqual([
      "the worker that ran the model crashed",
      "the model is unavailable: no worker can be started; the log has the cause",
    ]);
    expect([kit.arena.used, kit.pool.finalsPending]).toEqual([0, 0]);
  });
});

describe("when threads of a model do not return", () => {
  /** Submits two jobs to each worker, lets the first ones time out, and again those of the replacements. */
  async function stuckPool(workers: number): Promise<ScriptedPool> {
    const kit = new ScriptedPool({}, { workers });
    for (let round = 0; round < 2; round++) {
      for (let worker = 0; worker < workers; worker++) await kit.add(kit.lane());
      kit.clock.advance(100);
      await turn();
      // Those that were started in the place of the first ones.
      for (const host of kit.hosts.started.slice(workers, 2 * workers)) if (round === 0) host.becomeReady();
    }
    return kit;
  }

  test("the replacement takes calls at once, and the abandoned thread is not waited for", async () => {
    const kit = new ScriptedPool();
    await kit.add(kit.lane());
    kit.clock.advance(100);
    kit.hosts.last.becomeReady();
    await kit.add(kit.lane());
    kit.hosts.last.answer({ output: { text: "b" } });
    await turn();
    expect(kit.outcomes).toMatchObject([{ code: "inference_timeout" }, { output: { text: "b" } }]);
    expect([kit.pool.load.workersAbandoned, kit.arena.used, kit.pool.unavailable]).toEqual([1, 1, undefined]);
  });

  test("what waits fails, and what is submitted then fails at once, until one of them has ended", async () => {
    const kit = await stuckPool(2);
    const lane = kit.lane();
    await kit.add(lane);
    expect(kit.outcomes).toHaveLength(4);
    kit.clock.advance(TERMINATE_GRACE_MS);
    await turn();
    await kit.add(lane);
    const message = "the model is unavailable: 4 threads do not return from the model, so no more workers are started";
    expect(kit.outcomes.slice(4)).toMatchObject(
      Array(2).fill({ status: "failed", code: "model_unavailable", message, inferMs: 0 }),
    );
    expect(kit.pool.unavailable).toEqual({
      cause: "stuck",
      reason: message.slice("the model is unavailable: ".length),
    });
    expect([kit.failures("model_unavailable"), kit.arena.used]).toEqual([2, 4]);
    // The samples of each are held until its thread has ended.
    for (const host of kit.hosts.started.splice(0, 4)) host.exit();
    expect([kit.arena.used, kit.pool.unavailable]).toEqual([0, undefined]);
    for (const host of kit.hosts.started) host.becomeReady();
    await kit.add(lane);
    kit.hosts.started.find(({ calls }) => calls.length > 0)?.answer({ output: { text: "again" } });
    await turn();
    expect(kit.outcomes.at(-1)).toMatchObject({ status: "ok", output: { text: "again" } });
  });

  test("a worker that is left serves what waits, though no stream should be started", async () => {
    const kit = new ScriptedPool({}, { workers: 2 });
    for (let round = 0; round < 3; round++) {
      await kit.add(kit.lane());
      kit.clock.advance(100);
      await turn();
      if (round < 2) kit.hosts.last.becomeReady();
    }
    kit.clock.advance(TERMINATE_GRACE_MS);
    expect([kit.pool.load.workersReady, kit.pool.unavailable?.cause]).toEqual([1, "stuck"]);
    await kit.add(kit.lane());
    kit.hosts.started.find(({ calls, closing }) => calls.length > 0 && !closing)?.answer();
    await turn();
    expect(kit.outcomes.at(-1)?.status).toBe("ok");
  });
});

test("callers take turns, whatever the number of their streams", async () => {
  const kit = new ScriptedPool();
  const served: string[] = [];
  const add = (lane: Lane, name: string) => void kit.submit(lane, [0]).then(() => served.push(name));
  for (let i = 0; i < 10; i++) add(kit.pool.lane({ caller: "many", stream: {} }, undefined), "many");
  const one = kit.pool.lane({ caller: "one", stream: {} }, undefined);
  for (let i = 0; i < 4; i++) add(one, "one");
  await turn();
  for (let i = 0; i < 14; i++) {
    kit.hosts.last.answer();
    await turn();
  }
  expect(served.slice(0, 8)).toEqual(["many", "one", "many", "one", "many", "one", "many", "one"]);
});

describe("an error of a whole batch", () => {
  const error = "KeyError: what one caller has sent";

  async function messages(callers: readonly string[], result: JobResult): Promise<[unknown[], ScriptedPool]> {
    const kit = new ScriptedPool({ maxBatch: 2 });
    for (const caller of callers) {
      void kit.submit(kit.pool.lane({ caller, stream: {} }, undefined), [0]).then((end) => kit.outcomes.push(end));
    }
    await turn();
    kit.hosts.last.answer(result, result);
    await turn();
    return [kit.outcomes.map((outcome) => ("message" in outcome ? outcome.message : outcome.status)), kit];
  }

  test("has neutral words for the callers that share it, and its own in the log", async () => {
    const [found, kit] = await messages(["one", "other"], { error, stack: "at line 1", wholeBatch: true });
    expect(found).toEqual(Array(2).fill("the batch that had this call failed"));
    expect(kit.outcomes).toMatchObject(Array(2).fill({ status: "failed", code: "inference_failed" }));
    expect(kit.logged[0]).toMatchObject({ event: "inference_failed", fields: { error, stack: "at line 1" } });
  });

  test("has its own words for a caller that is alone in it, and so has the error of one call", async () => {
    expect((await messages(["one", "one"], { error, wholeBatch: true }))[0]).toEqual([error, error]);
    expect((await messages(["one", "other"], { error }))[0]).toEqual([error, error]);
  });
});

test("a lane of a model refuses steps unless the model has state or streams", () => {
  const message = "only models with state or streams take steps";
  const stateless = new ScriptedPool();
  expect(() => stateless.submit(stateless.lane(), [0], { step: "start" })).toThrow(message);
  const stateful = new ScriptedPool({ stateful: true });
  expect(() => stateful.submit(stateful.lane(), [0])).toThrow(message);
});

test("the load counts workers and waiting jobs", async () => {
  const kit = new ScriptedPool({}, { workers: 2 });
  expect(kit.pool.load).toEqual({
    workersReady: 2,
    workersBusy: 0,
    workersAbandoned: 0,
    callsRunning: 0,
    finalsWaiting: 0,
    interimsWaiting: 0,
    spawns: 2,
  });
  const [lane, other] = [kit.lane(), kit.lane()];
  for (let i = 0; i < 3; i++) await kit.add(lane);
  await kit.add(other, { kind: "interim" });
  expect(kit.pool.load).toMatchObject({ workersReady: 2, finalsWaiting: 2 });
});

describe("a model that reports that it cannot serve", () => {
  test("is unavailable when all workers that are ready say so, with the first reason, and the log has each change once", () => {
    const kit = new ScriptedPool({}, { workers: 2 });
    const [first, second] = kit.hosts.started;
    first!.report({ unavailable: "no engine" });
    expect(kit.pool.reportedReason).toBeUndefined();
    second!.report({ unavailable: "engines are gone" });
    expect(kit.pool.reportedReason).toBe("no engine");
    expect(kit.pool.unavailable).toBeUndefined();
    second!.report({ metrics: [] });
    first!.report({ unavailable: null });
    expect(kit.pool.reportedReason).toBeUndefined();
    expect(kit.logged).toEqual([
      { event: "model_cannot_serve", fields: { model: "test", reason: "no engine" } },
      { event: "model_serves_again", fields: { model: "test" } },
    ]);
  });

  test("is not judged by a worker that has ended, nor by what its predecessor said", () => {
    const kit = new ScriptedPool({}, { workers: 2 });
    const [first, second] = kit.hosts.started;
    second!.report({ unavailable: "no engine" });
    first!.exit();
    expect(kit.pool.reportedReason).toBe("no engine");
    kit.clock.advance(FIRST_BACKOFF_MS);
    kit.hosts.last.becomeReady();
    expect(kit.pool.reportedReason).toBeUndefined();
    second!.exit();
    kit.clock.advance(FIRST_BACKOFF_MS);
    kit.hosts.last.becomeReady();
    kit.hosts.started[2]!.report({ unavailable: "still none" });
    expect(kit.pool.reportedReason).toBeUndefined();
  });
});

test("a gauge of a model is over when its worker is replaced; what an abandoned one reports at its end still counts", async () => {
  const metrics = new ServerMetrics();
  const declared = { calls: { type: "counter", help: "." }, open: { type: "gauge", help: "." } } as const;
  const kit = new ScriptedPool({ metrics: declared }, { metrics: () => metrics.model("test") });
  const values = (calls: number, open: number) => ({
    metrics: [
      { name: "calls", labels: [], value: calls },
      { name: "open", labels: [], value: open },
    ],
  });
  const shown = (): number[] =>
    takeSnapshot(metrics.registry)
      .filter(({ name }) => ["streamer_model_calls_total", "streamer_model_open"].includes(name))
      .flatMap(({ samples }) => samples.map(({ value }) => value));
  kit.hosts.last.report(values(2, 7));
  expect(shown()).toEqual([2, 7]);
  const [slow] = kit.hosts.started;
  await kit.add(kit.lane());
  kit.clock.advance(100);
  kit.hosts.last.becomeReady();
  expect(shown()).toEqual([2, 0]);
  slow!.report(values(3, 9));
  expect(shown()).toEqual([5, 0]);
});
