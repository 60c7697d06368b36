import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { AudioJob, Lane } from "../../src/pool/lane.ts";
import { FIRST_BACKOFF_MS } from "../../src/pool/restarts.ts";
import { takeSnapshot } from "../../src/telemetry/metrics/metric-snapshot.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { STEP_ORDERS } from "../support/models/pinned.ts";
import { checkPinnedUnderDeaths } from "../support/pinned-under-deaths.ts";
import { modelPath, testPool, type TestPoolOptions } from "../support/pool-harness.ts";
import { ScriptedPool, turn } from "../support/scripted-pool.ts";

setDefaultTimeout(300_000);

const PINNED = { pinned: true };
const STEP: Partial<AudioJob> = { step: "step" };

/** A pool of a pinned model whose hosts are in the hands of the test. */
function scripted(workers: number, options: Partial<TestPoolOptions> = {}): ScriptedPool {
  return new ScriptedPool(PINNED, { workers, ...options });
}

/** The numbers of the lanes whose jobs each host has got. */
function lanesOf({ hosts }: ScriptedPool): number[][] {
  return hosts.started.map(({ calls }) => calls.flatMap(({ jobs }) => jobs.map(({ lane }) => lane.number)));
}

test("a lane is bound to the worker with the fewest lanes, and stays there though others are idle", async () => {
  const kit = scripted(2);
  const lanes = [kit.lane(), kit.lane(), kit.lane()];
  for (const lane of lanes) await kit.add(lane, STEP);
  expect(lanesOf(kit)).toEqual([[0], [1]]);
  kit.hosts.started[1]!.answer();
  await turn();
  expect(lanesOf(kit)).toEqual([[0], [1]]);
  kit.hosts.started[0]!.answer();
  await turn();
  expect(lanesOf(kit)).toEqual([[0, 2], [1]]);
  lanes[0]!.close();
  lanes[2]!.close();
  await kit.add(kit.lane(), STEP);
  await kit.add(kit.lane(), STEP);
  for (let i = 0; i < 2; i++) kit.hosts.started[0]!.answer();
  await turn();
  expect(lanesOf(kit)).toEqual([[0, 2, 3, 4], [1]]);
});

test("callers take turns within a worker", async () => {
  const kit = scripted(1);
  const lane = (caller: string, stream: object): Lane => kit.pool.lane({ caller, stream }, undefined);
  const [many, few] = [{}, {}];
  const lanes = [lane("a", many), lane("a", many), lane("a", many), lane("b", few)];
  for (const each of lanes) await kit.add(each, STEP);
  for (let i = 0; i < 3; i++) kit.hosts.last.answer();
  expect(lanesOf(kit)).toEqual([[0, 1, 3, 2]]);
});

test("as many lanes as the workers may have can be open, and no more; one that is closed makes room", () => {
  const kit = scripted(2, { maxStreams: 2 });
  const lanes = Array.from({ length: 4 }, () => kit.lane());
  expect(kit.pool.places).toEqual({ open: 4, allowed: 4 });
  expect(() => kit.lane()).toThrow("all workers of the model have as many streams as they may");
  lanes[2]!.close();
  lanes[2]!.close();
  expect(kit.pool.places).toEqual({ open: 3, allowed: 4 });
  kit.lane();
  expect(kit.pool.openStreams).toBe(4);
});

test("other models have any number of lanes", () => {
  const kit = new ScriptedPool({}, { maxStreams: 1 });
  for (let i = 0; i < 5; i++) kit.lane();
  expect(kit.pool.places).toBeUndefined();
});

test("a lane whose worker has ended gets another one with its next job, where it stays", async () => {
  const kit = scripted(2);
  const [first, second] = [kit.lane(), kit.lane()];
  await kit.add(first, STEP);
  kit.hosts.started[0]!.exit();
  await turn();
  expect(kit.outcomes).toMatchObject([{ status: "failed", code: "worker_crashed" }]);
  await kit.add(first, STEP);
  kit.hosts.last.becomeReady(PINNED);
  await kit.add(second, STEP);
  kit.hosts.started[1]!.answer({ output: {}, opened: true });
  kit.hosts.started[1]!.answer();
  await kit.add(first, STEP);
  expect(lanesOf(kit)).toEqual([[0], [0, 1, 0], []]);
  expect(kit.outcomes.slice(1)).toMatchObject([{ status: "ok", opened: true }, { status: "ok" }]);
});

test("without room in other workers, a lane waits for the replacement of its own", async () => {
  const kit = scripted(2, { maxStreams: 1 });
  const [first] = [kit.lane(), kit.lane()];
  kit.hosts.started[0]!.exit();
  await kit.add(first, STEP);
  kit.clock.advance(FIRST_BACKOFF_MS);
  expect(lanesOf(kit)).toEqual([[], [], []]);
  expect(kit.pool.places).toEqual({ open: 2, allowed: 2 });
  kit.hosts.last.becomeReady(PINNED);
  await turn();
  expect(lanesOf(kit)).toEqual([[], [], [0]]);
});

test("a lane that waits for its worker moves as soon as another one has room", async () => {
  const kit = scripted(2, { maxStreams: 1 });
  const [first, second] = [kit.lane(), kit.lane()];
  kit.hosts.started[0]!.exit();
  await kit.add(first, STEP);
  second.close();
  await turn();
  expect(lanesOf(kit)).toEqual([[], [0]]);
});

test("what a worker has ahead when it ends goes to another one", async () => {
  const kit = scripted(2);
  for (const host of kit.hosts.started) Object.assign(host, { ahead: 2, taken: -1 });
  const lanes = [kit.lane(), kit.lane(), kit.lane()];
  await kit.add(lanes[0]!, STEP);
  await kit.add(lanes[2]!, STEP);
  kit.hosts.started[0]!.taken = 0;
  kit.hosts.started[0]!.exit();
  await turn();
  expect(kit.outcomes).toMatchObject([{ status: "failed", code: "worker_crashed" }]);
  expect(kit.hosts.started[1]!.calls.flatMap(({ jobs }) => jobs.map(({ lane }) => lane.number))).toEqual([2]);
});

test("a call that takes too long fails, its worker is replaced, and its lanes go on elsewhere", async () => {
  const kit = scripted(2);
  const lane = kit.lane();
  await kit.add(lane, STEP);
  kit.clock.advance(100);
  await turn();
  expect(kit.outcomes).toMatchObject([{ status: "failed", code: "inference_timeout" }]);
  await kit.add(lane, STEP);
  expect(lanesOf(kit)).toEqual([[0], [0], []]);
});

test("a step is not repeated when its worker ends, though the model is idempotent", async () => {
  const kit = new ScriptedPool({ ...PINNED, idempotent: true }, { workers: 2 });
  await kit.add(kit.lane(), { step: "start" });
  kit.hosts.started[0]!.exit();
  await turn();
  expect(kit.outcomes).toMatchObject([{ status: "failed", code: "worker_crashed" }]);
});

test("jobs of a worker that cannot be loaded again fail, as long as the others have no room", async () => {
  const kit = scripted(2, { maxStreams: 1 });
  const [first, second] = [kit.lane(), kit.lane()];
  kit.hosts.started[0]!.exit();
  await kit.add(first, STEP);
  kit.clock.advance(FIRST_BACKOFF_MS);
  expect(kit.outcomes).toEqual([]);
  kit.hosts.last.exit({ cause: "no weights" });
  await turn();
  expect(kit.outcomes).toMatchObject([{ status: "failed", code: "model_unavailable" }]);
  expect(kit.pool.places).toEqual({ open: 2, allowed: 2 });
  second.close();
  expect(kit.pool.places).toEqual({ open: 1, allowed: 2 });
  expect(kit.pool.isDown).toBe(false);
});

test("a host forgets lanes of a pinned model that are closed, those without options, too", async () => {
  const kit = scripted(1);
  const lane = kit.lane();
  await kit.add(lane, STEP);
  lane.close();
  expect(kit.hosts.last.forgotten).toEqual([0]);
});

test("the metrics have the open streams of a pinned model and their limit, and nothing of the kind for others", () => {
  const shown = (pinned: boolean): string[] => {
    const metrics = new ServerMetrics();
    const kit = new ScriptedPool({ pinned }, { workers: 2, maxStreams: 3, metrics: () => metrics.model("m") });
    kit.lane();
    return takeSnapshot(metrics.registry)
      .filter(({ name }) => name.startsWith("streamer_model_pinned"))
      .flatMap(({ name, samples }) => samples.map(({ value }) => `${name} ${value}`));
  };
  expect(shown(false)).toEqual([]);
  expect(shown(true)).toEqual(["streamer_model_pinned_streams 1", "streamer_model_pinned_streams_limit 6"]);
});

describe("with real workers", () => {
  test("streams stay open from call to call, are reset after an utterance, and closed with their lane", async () => {
    await using kit = await testPool({ model: modelPath("pinned"), workers: 2 });
    const lanes = [kit.lane(), kit.lane(), kit.lane()];
    const said = async (lane: Lane, samples: number[], job: Partial<AudioJob> = STEP): Promise<unknown> => {
      const outcome = await kit.submit(lane, samples, job);
      return outcome.status === "ok" ? outcome.output : outcome;
    };
    for (const lane of lanes) expect(await said(lane, [0, 1], { step: "start" })).toMatchObject({ samples: 2, sum: 1 });
    for (const lane of lanes) expect(await said(lane, [0, 2])).toMatchObject({ samples: 4, sum: 3 });
    expect(await said(lanes[0]!, [], { step: "finish" })).toMatchObject({ total: 4 });
    expect(await said(lanes[0]!, [0])).toMatchObject({ samples: 1 });
    for (const lane of lanes.splice(0, 2)) lane.close();
    await kit.until(() => kit.pool.openStreams === 1);
    expect(await said(kit.lane(), [STEP_ORDERS.census])).toMatchObject({ samples: 1, open: 1 });
  });

  test("no sample is lost, doubled or given to another stream when threads die at random", async () => {
    await checkPinnedUnderDeaths({ crashes: 15 });
  });
});
