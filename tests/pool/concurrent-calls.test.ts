import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Outcome } from "../../src/model/job.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import type { Lane } from "../../src/pool/lane.ts";
import { ABORT_GRACE_MS } from "../../src/pool/overdue-calls.ts";
import { processHost } from "../../src/pool/process-host.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import type { StartHost } from "../../src/pool/worker-host.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { WAITS } from "../support/models/waiting.ts";
import { launchProcess, modelPath, TestPool, testPool, workerUrl } from "../support/pool-harness.ts";
import { ScriptedHosts } from "../support/scripted-host.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const TIMEOUT_MS = 100;

/** A pool of a model that takes three calls at once, whose hosts and clock are in the hands of the test. */
class ConcurrentPool extends TestPool {
  readonly hosts: ScriptedHosts;
  readonly clock: ManualClock;
  readonly outcomes: Outcome[] = [];

  constructor(info: Partial<ModelInfo> = {}) {
    const [hosts, clock] = [new ScriptedHosts(), new ManualClock()];
    super({ model: "scripted", inferenceTimeoutMs: TIMEOUT_MS, startHost: hosts.start, clock });
    this.hosts = hosts;
    this.clock = clock;
    hosts.last.becomeReady({ concurrency: 3, ...info });
  }

  async add(lane: Lane = this.lane(), job: Parameters<TestPool["submit"]>[2] = {}): Promise<Lane> {
    void this.submit(lane, [0], job).then((outcome) => this.outcomes.push(outcome));
    await turn();
    return lane;
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await turn();
  }
}

/** Lets all microtasks run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a call that takes too long", () => {
  test("is answered and aborted; its worker lives, and the place is free when it has ended", async () => {
    const kit = new ConcurrentPool();
    for (let i = 0; i < 5; i++) await kit.add();
    const [host] = kit.hosts.started;
    expect(host!.calls).toHaveLength(3);
    expect(kit.pool.load).toMatchObject({ workersBusy: 1, callsRunning: 3, finalsWaiting: 2 });
    host!.answerAll([host!.calls[1]!]);
    await turn();
    expect(host!.calls).toHaveLength(4);
    await kit.advance(TIMEOUT_MS);
    expect(host!.aborted).toEqual([
      [0, "timeout"],
      [2, "timeout"],
      [3, "timeout"],
    ]);
    expect(kit.outcomes.map((each) => (each.status === "failed" ? each.code : each.status))).toEqual([
      "ok",
      "inference_timeout",
      "inference_timeout",
      "inference_timeout",
    ]);
    expect(host!.calls).toHaveLength(4);
    expect(kit.arena.used).toBe(4);
    // What the model returns now comes too late.
    host!.answerAll([host!.calls[0]!]);
    await turn();
    expect(host!.calls).toHaveLength(5);
    expect(kit.outcomes).toHaveLength(4);
    expect(kit.arena.used).toBe(3);
    expect([kit.deaths("timeout"), kit.failures("inference_timeout"), kit.hosts.started.length]).toEqual([0, 3, 1]);
    expect(kit.logged).toEqual([
      {
        event: "inference_timeout",
        fields: { model: "test", worker: 0, timeout_ms: TIMEOUT_MS, aborted: true },
      },
    ]);
  });

  test("and does not end when it is aborted costs its worker; other calls run again if that is allowed", async () => {
    const kit = new ConcurrentPool({ idempotent: true });
    await kit.add();
    await kit.advance(TIMEOUT_MS);
    await kit.add();
    await kit.advance(TIMEOUT_MS - 1);
    expect(kit.outcomes).toMatchObject([{ code: "inference_timeout" }]);
    kit.hosts.last.answer();
    await kit.advance(ABORT_GRACE_MS - TIMEOUT_MS);
    await kit.add();
    expect(kit.hosts.started).toHaveLength(1);
    await kit.advance(1);
    expect(kit.hosts.started).toHaveLength(2);
    expect(kit.hosts.started[0]!.closing).toBe(true);
    expect(kit.deaths("timeout")).toBe(1);
    expect(kit.logged.at(-1)).toEqual({
      event: "abort_ignored",
      fields: { model: "test", worker: 0, grace_ms: ABORT_GRACE_MS },
    });
    kit.hosts.last.becomeReady({ concurrency: 3, idempotent: true });
    await turn();
    kit.hosts.last.answer();
    kit.hosts.started[0]!.exit();
    await turn();
    expect(kit.outcomes.map(({ status }) => status)).toEqual(["failed", "ok", "ok"]);
    expect(kit.arena.used).toBe(0);
  });

  test("costs the other calls of its worker their results if a call may not be repeated", async () => {
    const kit = new ConcurrentPool();
    await kit.add();
    await kit.advance(TIMEOUT_MS);
    await kit.advance(ABORT_GRACE_MS - 1);
    await kit.add();
    await kit.advance(1);
    expect(kit.outcomes).toMatchObject([
      { code: "inference_timeout" },
      { code: "worker_crashed", message: "its worker was replaced, because another call did not end" },
    ]);
  });

  test("is not aborted before its worker has taken it: its time begins then", async () => {
    const kit = new ConcurrentPool();
    kit.hosts.last.taken = 0;
    await kit.add();
    await kit.add();
    await kit.advance(TIMEOUT_MS);
    expect(kit.hosts.last.aborted).toEqual([[0, "timeout"]]);
    kit.hosts.last.taken = 1;
    await kit.advance(TIMEOUT_MS - 1);
    expect(kit.outcomes).toHaveLength(1);
    await kit.advance(1);
    expect(kit.outcomes).toHaveLength(2);
  });

  test("of a model that declares no concurrency costs its worker at once", async () => {
    const kit = new ConcurrentPool({ concurrency: undefined as never });
    await kit.add();
    await kit.advance(TIMEOUT_MS);
    expect([kit.hosts.started.length, kit.hosts.started[0]!.aborted]).toEqual([2, []]);
  });

  test("leaves no state behind: one that it starts too late is disposed of", async () => {
    const kit = new ConcurrentPool({ stateful: true, disposes: true });
    const lane = await kit.add(kit.lane(), { step: "start" });
    const [host] = kit.hosts.started;
    await kit.advance(TIMEOUT_MS);
    await kit.add(lane, { step: "start" });
    // A lane has one call at a time.
    expect(host!.calls).toHaveLength(1);
    host!.answer({ state: "late" });
    await turn();
    const jobs = host!.calls.map(({ jobs: [each] }) => [each!.job.step, each!.job.state]);
    expect(jobs.slice(1).toSorted()).toEqual([
      ["dispose", "late"],
      ["start", undefined],
    ]);
  });
});

test("the code that a model gives to an error is that of the outcome, of the log and of the metrics", async () => {
  const kit = new ConcurrentPool();
  await kit.add();
  kit.hosts.last.answer({ error: "the engine is away", code: "model_unavailable" });
  await turn();
  expect(kit.outcomes).toMatchObject([{ code: "model_unavailable", message: "the engine is away" }]);
  expect([kit.failures("model_unavailable"), kit.failures("inference_failed")]).toEqual([1, 0]);
  expect(kit.logged).toMatchObject([{ event: "inference_failed", fields: { code: "model_unavailable" } }]);
});

test("a model that declares no concurrency gets a signal, too: the thread of a call that takes too long leaves by itself", async () => {
  const model = modelPath("waiting-alone");
  await using kit = await testPool({ model, inferenceTimeoutMs: 200 });
  expect(await kit.submit(kit.lane(), [WAITS.forAbort])).toMatchObject({ code: "inference_timeout" });
  await kit.until(() => kit.pool.load.workersAbandoned === 0 && kit.pool.load.workersReady === 1);
  expect(kit.pool.load.spawns).toBe(2);
  expect(kit.logged.map(({ event }) => event)).toEqual(["inference_timeout"]);
});

const HOSTS: readonly [string, StartHost][] = [
  ["thread", threadHost(workerUrl)],
  ["process", processHost(launchProcess, () => {})],
];

describe.each(HOSTS)("a pool of a waiting model on a %s host", (_, startHost) => {
  test("aborts calls that take too long and calls of closed lanes, and goes on with the same worker", async () => {
    await using kit = await testPool({ model: modelPath("waiting"), startHost, inferenceTimeoutMs: 200 });
    const slow = await Promise.all([1, 2, 3, 4].map(() => kit.submit(kit.lane(), [WAITS.forAbort])));
    expect(slow).toMatchObject(slow.map(() => ({ status: "failed", code: "inference_timeout" })));
    const lane = kit.lane();
    const dropped = kit.submit(lane, [WAITS.forAbort]);
    // The worker begins calls in their order: when this one has returned, the one before it runs.
    expect(await kit.submit(kit.lane(), [1])).toMatchObject({ status: "ok" });
    lane.close();
    expect(await dropped).toEqual({ status: "dropped" });
    await kit.until(() => kit.pool.load.workersBusy === 0);
    const reason = await kit.submit(kit.lane(), [WAITS.reason]);
    expect(reason).toMatchObject({ output: { aborted: 5 } });
    expect([kit.pool.load.spawns, kit.deaths("timeout"), kit.arena.used]).toEqual([1, 0, 0]);
  });

  test("survives that its worker ends under several calls: each job settles once", async () => {
    await using kit = await testPool({ model: modelPath("waiting"), startHost });
    const calls = [WAITS.forAbort, WAITS.forAbort, WAITS.forAbort, WAITS.crash].map((order) =>
      kit.submit(kit.lane(), [order]),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes).toMatchObject(outcomes.map(() => ({ status: "failed", code: "worker_crashed" })));
    expect(await kit.submit(kit.lane(), [1])).toMatchObject({ status: "ok", output: { together: 1 } });
    expect(kit.arena.used).toBe(0);
  });

  test("keeps calls that a worker has not taken: they wait again when it ends", async () => {
    await using kit = await testPool({ model: modelPath("waiting"), startHost });
    const crash = kit.submit(kit.lane(), [WAITS.crash]);
    const behind = [1, 2].map(() => kit.submit(kit.lane(), [1]));
    expect(await crash).toMatchObject({ code: "worker_crashed" });
    expect(await Promise.all(behind)).toMatchObject([{ status: "ok" }, { status: "ok" }]);
  });
});
