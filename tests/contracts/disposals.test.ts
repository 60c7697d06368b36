import { afterAll, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Outcome } from "../../src/model/job.ts";
import type { Lane } from "../../src/pool/lane.ts";
import { freshSeed, seeded } from "../support/audio.ts";
import { type Handle, NATIVE_MS } from "../support/models/handles.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { modelPath, TestPool, type TestPoolOptions } from "../support/pool-harness.ts";
import { waitUntil } from "../support/wait.ts";

const folder = await mkdtemp(join(tmpdir(), "streamer-disposals-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const STEPPING = "stepping";

/** A pool of the model `handles`, and what became of each handle. */
class HandlePool extends TestPool {
  readonly #file: string;
  /** Handles of the warm-ups. */
  #ignored = new Set<string>();

  private constructor(file: string, options: Partial<TestPoolOptions>) {
    super({ model: modelPath("handles"), settings: { file, finishes: true }, ...options });
    this.#file = file;
  }

  static async open(options: Partial<TestPoolOptions> = {}, settings: object = {}): Promise<HandlePool> {
    const file = join(folder, crypto.randomUUID());
    const kit = new HandlePool(file, { settings: { file, finishes: true, ...settings }, ...options });
    await kit.pool.ready;
    kit.#ignored = new Set(await kit.#ids());
    return kit;
  }

  /** The events of each handle since the start, such as `["started 0", "disposed 1"]`: event and steps. */
  async lives(): Promise<string[][]> {
    const lives = new Map<string, string[]>();
    for (const [event, id = "", steps] of await this.#lines()) {
      if (!this.#ignored.has(id) && event !== STEPPING) lives.set(id, [...(lives.get(id) ?? []), `${event} ${steps}`]);
    }
    return [...lives.values()];
  }

  /** Waits until the handles have these lives, in the order of their starts. */
  async expectLives(...expected: string[][]): Promise<void> {
    const length = expected.flat().length;
    await waitUntil("the handles are released", async () => (await this.lives()).flat().length >= length);
    expect(await this.lives()).toEqual(expected);
  }

  async start(lane: Lane, samples: number[] = []): Promise<Handle> {
    return stateOf(await this.submit(lane, samples, { step: "start" }));
  }

  step(lane: Lane, order: number, state: Handle): Promise<Outcome> {
    return this.submit(lane, [order], { step: "step", state });
  }

  /** Waits until a worker runs a slow step. */
  async stepping(): Promise<void> {
    const runs = async (): Promise<boolean> => (await this.#lines()).some(([event]) => event === STEPPING);
    await waitUntil("a worker runs the step", runs);
  }

  async #ids(): Promise<string[]> {
    return (await this.#lines()).map(([, id = ""]) => id);
  }

  async #lines(): Promise<string[][]> {
    const text = await readFile(this.#file, "utf8").catch(() => "");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" "));
  }
}

/** Lets the pool start the calls of the jobs that were submitted. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function stateOf(outcome: Outcome): Handle {
  if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
  return outcome.state as Handle;
}

describe("the state of a stream that ends without `finish` is disposed of once", () => {
  test("when its lane is closed: the last state, in any worker", async () => {
    await using kit = await HandlePool.open({ workers: 2 });
    const lane = kit.lane();
    const first = await kit.start(lane);
    stateOf(await kit.step(lane, 0, stateOf(await kit.step(lane, 0, first))));
    lane.close();
    lane.close();
    await kit.expectLives(["started 0", "disposed 2"]);
    await kit.until(() => kit.pool.finalsPending === 0);
  });

  test("when its lane is closed during a call: the state that the call returns, after its end", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const running = kit.step(lane, ORDERS.native, await kit.start(lane));
    await kit.stepping();
    lane.close();
    expect(await running).toEqual({ status: "dropped" });
    await kit.expectLives(["started 0", "disposed 1"]);
  });

  test("when its lane is closed before a worker has taken its next call: the state that the call would have got", async () => {
    await using kit = await HandlePool.open();
    const [lane, other] = [kit.lane(), kit.lane()];
    const [state, busy] = [await kit.start(lane), await kit.start(other)];
    void kit.step(other, ORDERS.native, busy);
    await kit.stepping();
    const ahead = kit.step(lane, 0, state);
    await turn();
    lane.close();
    expect(await ahead).toEqual({ status: "dropped" });
    await waitUntil("the handle is released", async () => (await kit.lives())[0]?.length === 2);
    expect((await kit.lives())[0]).toEqual(["started 0", "disposed 0"]);
  });

  test("when its lane is closed during a call that fails: the state before the call", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const running = kit.step(lane, ORDERS.laterThrow, await kit.start(lane));
    await kit.stepping();
    lane.close();
    await running;
    await kit.expectLives(["started 0", "disposed 0"]);
  });

  test("when a step has failed, or its output cannot be sent: the state before it", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const second = stateOf(await kit.step(lane, 0, await kit.start(lane)));
    for (const order of [ORDERS.throw, ORDERS.reserved, ORDERS.bigint]) {
      expect((await kit.step(lane, order, second)).status).toBe("failed");
    }
    lane.close();
    await kit.expectLives(["started 0", "disposed 1"]);
  });

  test("when the worker of a step has crashed: the state before the step, in the next worker", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const crashed = kit.step(lane, ORDERS.exit, await kit.start(lane));
    await kit.stepping();
    lane.close();
    await crashed;
    await kit.until(() => kit.pool.load.workersReady === 1);
    await waitUntil("the handle is released", async () => (await kit.lives()).flat().includes("disposed 0"));
    expect((await kit.lives())[0]).toEqual(["started 0", "disposed 0"]);
  });

  test("when a step has taken too long: only after its thread has ended, which may still use the state", async () => {
    await using kit = await HandlePool.open({ inferenceTimeoutMs: NATIVE_MS / 2 });
    const lane = kit.lane();
    const outcome = await kit.step(lane, ORDERS.native, await kit.start(lane));
    expect(outcome).toMatchObject({ status: "failed", code: "inference_timeout" });
    lane.close();
    await kit.until(() => kit.pool.load.workersReady === 1);
    expect([(await kit.lives())[0], kit.pool.load.workersAbandoned]).toEqual([["started 0"], 1]);
    await waitUntil("the handle is released", async () => (await kit.lives())[0]?.length === 2);
    expect([(await kit.lives())[0], kit.pool.load.workersAbandoned]).toEqual([["started 0", "disposed 0"], 0]);
  });

  test("when the model has no `finish`, at the regular end, too", async () => {
    await using kit = await HandlePool.open({}, { finishes: false });
    const lane = kit.lane();
    const state = await kit.start(lane);
    expect(await kit.submit(lane, [], { step: "finish", state })).toMatchObject({ status: "ok", output: undefined });
    lane.close();
    await kit.expectLives(["started 0", "disposed 0"]);
  });

  test("when `finish` was dropped before it ran", async () => {
    await using kit = await HandlePool.open();
    const [lane, other] = [kit.lane(), kit.lane()];
    const [state, busy] = [await kit.start(lane), await kit.start(other)];
    void kit.step(other, ORDERS.native, busy);
    const finished = kit.submit(lane, [], { step: "finish", state });
    await kit.stepping();
    lane.close();
    expect(await finished).toEqual({ status: "dropped" });
    await waitUntil("the handle is released", async () => (await kit.lives())[0]?.length === 2);
    expect((await kit.lives())[0]).toEqual(["started 0", "disposed 0"]);
  });

  test("when the pool is closed, before its workers end", async () => {
    const kit = await HandlePool.open();
    const [idle, busy] = [kit.lane(), kit.lane()];
    await kit.start(idle);
    void kit.step(busy, ORDERS.pause, await kit.start(busy));
    await kit.stepping();
    await kit.pool.close();
    expect(await kit.lives()).toEqual([
      ["started 0", "disposed 0"],
      ["started 0", "disposed 1"],
    ]);
  });
});

describe("a state that the server never gets is disposed of by its worker", () => {
  test("when the first step fails, or its output cannot be sent", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    for (const order of [ORDERS.throw, ORDERS.laterThrow, ORDERS.reserved]) {
      expect((await kit.submit(lane, [order], { step: "start" })).status).toBe("failed");
    }
    lane.close();
    await kit.expectLives(["started 0", "disposed 0"], ["started 0", "disposed 0"], ["started 0", "disposed 1"]);
  });

  test("when it cannot be cloned", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const outcome = await kit.submit(lane, [ORDERS.bigint], { step: "start" });
    expect(outcome).toMatchObject({
      message: expect.stringContaining("structured clone: state.strange is a function"),
    });
    await kit.expectLives(["started 0", "disposed 1"]);
  });

  test("when it comes too late", async () => {
    await using kit = await HandlePool.open({ inferenceTimeoutMs: NATIVE_MS / 2 });
    const lane = kit.lane();
    const outcome = await kit.submit(lane, [ORDERS.native], { step: "start" });
    expect(outcome).toMatchObject({ status: "failed", code: "inference_timeout" });
    lane.close();
    await waitUntil("the handle is released", async () => (await kit.lives())[0]?.length === 2);
    expect((await kit.lives())[0]).toEqual(["started 0", "disposed 1"]);
  });
});

describe("a state is not disposed of", () => {
  test("when `finish` has got it, also if that failed", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const state = await kit.start(lane);
    expect(await kit.submit(lane, [], { step: "finish", state })).toMatchObject({ output: { steps: 0 } });
    lane.close();
    const other = kit.lane();
    await kit.start(other);
    other.close();
    await kit.expectLives(["started 0", "finished 0"], ["started 0", "disposed 0"]);
  });

  test("while its stream continues after a failure", async () => {
    await using kit = await HandlePool.open();
    const lane = kit.lane();
    const state = await kit.start(lane);
    await kit.step(lane, ORDERS.throw, state);
    const next = stateOf(await kit.step(lane, 0, state));
    await kit.submit(lane, [], { step: "finish", state: next });
    lane.close();
    await kit.expectLives(["started 0", "finished 1"]);
  });
});

test("every state of streams that end, fail, crash, hang and are cut off at random is released exactly once", async () => {
  const seed = freshSeed();
  const draw = seeded(seed);
  const orders = [0, 0, 0, 0, ORDERS.throw, ORDERS.laterThrow, ORDERS.pause, ORDERS.reserved, ORDERS.exit];
  await using kit = await HandlePool.open({ workers: 2, inferenceTimeoutMs: NATIVE_MS / 2 });
  let [streams, hung] = [0, 0];
  const client = async (): Promise<void> => {
    while (streams++ < 100) {
      const lane = kit.lane();
      // A call that crashes while it starts a stream takes the state with it.
      let state: Handle | undefined;
      let running = kit.submit(lane, [draw() < 0.2 ? ORDERS.reserved : ORDERS.pause], { step: "start" });
      for (let step = 0; step < 4 && draw() < 0.85; step++) {
        const outcome = await running;
        if (outcome.status === "ok") state = outcome.state as Handle;
        if (state === undefined) break;
        const isSlow = draw() < 0.02;
        hung += Number(isSlow);
        running = kit.step(lane, isSlow ? ORDERS.native : orders[Math.floor(draw() * orders.length)]!, state);
      }
      if (state !== undefined && draw() < 0.3) {
        const outcome = await running;
        if (outcome.status === "ok") state = outcome.state as Handle;
        void kit.submit(lane, [], { step: "finish", state });
        if (draw() < 0.5) await turn();
      }
      lane.close();
    }
  };
  try {
    await Promise.all(Array.from({ length: 4 }, client));
    await kit.until(() => kit.pool.finalsPending === 0 && kit.pool.load.workersAbandoned === 0);
    await kit.until(() => kit.pool.load.workersReady === 2 && kit.pool.load.workersBusy === 0);
    const lives = await kit.lives();
    for (const life of lives) expect(life.length).toBeLessThanOrEqual(2);
    // A busy machine may have interrupted calls that were not meant to be slow.
    const excused = kit.deaths("timeout") > hung ? kit.deaths("timeout") : 0;
    expect(lives.filter((life) => life.length === 1).length).toBeLessThanOrEqual(excused);
    for (const end of ["finished", "disposed"]) {
      expect(lives.filter((life) => life[1]?.startsWith(end)).length).toBeGreaterThan(5);
    }
    expect([kit.crashes > 5, kit.arena.used]).toEqual([true, 0]);
  } catch (error) {
    console.error(`seed ${seed}`);
    throw error;
  }
});
