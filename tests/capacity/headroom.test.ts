import { expect, test } from "bun:test";

import type { Demand, LoadSource } from "../../src/capacity/demand.ts";
import { Headroom, type HeadroomLimits } from "../../src/capacity/headroom.ts";
import type { StreamLoad } from "../../src/capacity/stream-load.ts";

const LIMITS: HeadroomLimits = { arena: 0.8, waitMs: 50, load: 0.85 };
const DEMAND: Demand = { pattern: "simple", model: "slow", channels: 1 };

/** A stream of blocks of half a second, with the answers as the workers give them. */
interface Open {
  readonly load: StreamLoad;
  readonly source: { held: number; answered: number } & LoadSource;
}

/** A server whose streams and workers are simulated: all streams wait in one line for a call of `callMs`. */
class Simulation {
  readonly slabs = { used: 0, capacity: 1_000 };
  readonly headroom: Headroom;
  readonly open: Open[] = [];
  readonly #callMs: number;
  readonly #workers: number;
  #line: { stream: Open; submittedAt: number }[] = [];
  #running: { stream: Open; submittedAt: number; startedAt: number; endsAt: number }[] = [];
  /** Waits of the last blocks, in milliseconds. */
  waits: number[] = [];
  now = 0;
  thread = { cpu: 0, busy: 0, audio: 0, connections: 0 };

  constructor(callMs: number, workers: number, limits = LIMITS, warmedByCall = true) {
    this.#callMs = callMs;
    this.#workers = workers;
    this.headroom = new Headroom(limits, this.slabs, (_pattern, callS) => ({ hold: 5, compute: callS * 2 }));
    this.headroom.modelLoaded("slow", { workers, warmUpMs: callMs, warmedByCall });
  }

  /** Offers streams. Returns how many begin. */
  offer(count: number, demand = DEMAND): number {
    let begun = 0;
    for (let i = 0; i < count; i++) {
      if (this.headroom.shortage(demand) !== undefined) continue;
      const source = { held: 0, answered: 0, slabs: () => source.held, answeredSeconds: () => source.answered };
      this.open.push({ source, load: this.headroom.enter(demand, source, this.now) });
      begun += 1;
    }
    return begun;
  }

  leave(count: number): void {
    for (const { load } of this.open.splice(0, count)) this.headroom.leave(load);
  }

  pass(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 10) {
      for (const [i, stream] of this.open.entries()) {
        if ((this.now + ((i * 130) % 500)) % 500 !== 0) continue;
        stream.load.submitted(this.now);
        this.#line.push({ stream, submittedAt: this.now });
      }
      for (const run of this.#running.filter(({ endsAt }) => endsAt <= this.now)) {
        this.#running.splice(this.#running.indexOf(run), 1);
        const queueMs = run.startedAt - run.submittedAt;
        this.waits.push(queueMs);
        run.stream.source.answered += 0.5;
        const times = { queueMs, inferMs: this.#callMs, worker: 0, batchSize: 1 };
        run.stream.load.settled({ status: "ok", output: {}, ...times }, run.submittedAt, this.now);
      }
      while (this.#running.length < this.#workers && this.#line.length > 0) {
        const next = this.#line.shift()!;
        this.#running.push({ ...next, startedAt: this.now, endsAt: this.now + this.#callMs });
      }
      if (this.now % 100 === 0) this.headroom.sample(this.now, this.thread);
    }
  }

  get largestWait(): number {
    return Math.max(...this.waits.slice(-50));
  }
}

test("of a crowd that arrives before any has spoken, as many begin as the workers carry", () => {
  const server = new Simulation(50, 1);
  const begun = server.offer(30);
  expect(begun).toBeGreaterThanOrEqual(8);
  expect(begun).toBeLessThanOrEqual(10);
  server.pass(20_000);
  expect(server.largestWait).toBeLessThan(500);
});

test("a long warm-up of the model's own does not keep everybody out", () => {
  const [own, call] = [false, true].map((warmedByCall) => new Simulation(2_000, 2, LIMITS, warmedByCall).offer(100));
  expect([own, call]).toEqual([16, 2]);
});

test("streams that come one after the other begin until the workers have no time left, and again when others leave", () => {
  const server = new Simulation(50, 1);
  let begun = 0;
  for (let i = 0; i < 30; i++) {
    begun += server.offer(1);
    server.pass(300);
  }
  expect(begun).toBe(8);
  expect(server.largestWait).toBeLessThan(500);
  expect(server.headroom.shortage(DEMAND)).toMatchObject({ resource: "workers" });
  server.leave(3);
  expect(server.offer(10)).toBe(3);
});

test("a model that has become slower refuses new streams by the wait of its results", () => {
  const server = new Simulation(50, 1, { ...LIMITS, load: 1_000 });
  expect(server.offer(14)).toBe(14);
  server.pass(20_000);
  expect(server.headroom.shortage(DEMAND)).toMatchObject({ resource: "wait" });
  server.leave(9);
  server.pass(30_000);
  expect(server.headroom.shortage(DEMAND)).toBeUndefined();
});

test("one stream at full speed does not keep others out: it waits for itself", () => {
  const server = new Simulation(50, 1);
  server.offer(1);
  const [file] = server.open as [Open];
  for (let n = 0; n < 100; n++) {
    server.pass(50);
    for (let i = 0; i < 4; i++) file.load.submitted(server.now);
    const times = { queueMs: 150, inferMs: 50, worker: 0, batchSize: 1 };
    for (let i = 0; i < 4; i++) file.load.settled({ status: "ok", output: {}, ...times }, server.now - 200, server.now);
    file.source.answered += 2;
  }
  expect(server.headroom.shortage(DEMAND)).toBeUndefined();
});

test("a stream that would be alone always begins, however slow the model is", () => {
  const server = new Simulation(5_000, 1);
  expect(server.offer(1)).toBe(1);
  const small = new Headroom(LIMITS, { used: 0, capacity: 4 }, () => ({ hold: 5, compute: 0 }));
  expect(small.shortage(DEMAND)).toBeUndefined();
});

test("streams begin as long as the memory that all are expected to need is there, not only that in use", () => {
  const server = new Simulation(0, 1);
  const sixteen = { ...DEMAND, channels: 16 };
  expect(server.offer(100, sixteen)).toBe(10);
  expect(server.headroom.shortage(sixteen)).toMatchObject({ resource: "memory" });
  server.leave(10);
  server.pass(600);
  server.offer(1);
  server.slabs.used = 780;
  expect(server.offer(10)).toBe(3);
  server.slabs.used = 0;
  expect(server.offer(1)).toBe(1);
});

test("streams that hold more than expected make room for fewer", () => {
  const server = new Simulation(0, 1);
  server.offer(50);
  server.pass(10_000);
  for (const { source } of server.open) source.held = 12;
  server.pass(40_000);
  const more = server.offer(200);
  expect(more).toBeGreaterThan(10);
  expect(more).toBeLessThan(25);
});

test("connections that have just come count until they start their stream, or show that they do not", () => {
  const server = new Simulation(0, 1);
  const arrive = (count: number) => Array.from({ length: count }, () => server.headroom.expect(DEMAND, server.now));
  const arrived = arrive(159);
  expect(server.offer(5)).toBe(1);
  for (const each of arrived.slice(0, 20)) each();
  arrived[0]!();
  expect(server.offer(50)).toBe(20);
  server.pass(4_000);
  expect(server.offer(1)).toBe(0);
  server.pass(1_500);
  expect(server.offer(200)).toBe(139);
  for (const each of arrived) each();
  expect(server.offer(1)).toBe(0);
});

test("the carried streams agree with those that begin", () => {
  const server = new Simulation(50, 2);
  for (let i = 0; i < 40; i++) {
    server.offer(1);
    server.pass(300);
  }
  const { workers = 0, memory = 0 } = server.headroom.carried;
  expect(server.open.length).toBeGreaterThan(workers * 0.9);
  expect(server.open.length).toBeLessThanOrEqual(workers);
  expect(memory).toBe(160);
});

test("of a model whose streams stay in their workers, no more begin than these may have, not even one that is alone", () => {
  const server = new Simulation(1, 2);
  const places = { open: 0, allowed: 3 };
  server.headroom.modelLoaded("pinned", { workers: 2, warmUpMs: 0, warmedByCall: true, places: () => places });
  const demand = { ...DEMAND, model: "pinned" };
  expect(server.headroom.shortage({ ...demand, channels: 3 })).toBeUndefined();
  expect(server.headroom.shortage({ ...demand, channels: 4 })).toEqual({
    resource: "streams",
    needed: 4,
    allowed: 3,
    message: 'model "pinned" has 0 of 3 streams open (max_streams_per_worker)',
  });
  places.open = 2;
  expect(server.headroom.shortage({ ...demand, channels: 2 })).toMatchObject({ resource: "streams", needed: 4 });
  expect(server.headroom.shortage({ ...demand, channels: 1 })).toBeUndefined();
  expect(server.headroom.shortage({ ...DEMAND, channels: 9 })).toBeUndefined();
});

test("the streams that the workers carry are no more than those that a pinned model may have", () => {
  const server = new Simulation(1, 2);
  const places = { open: 0, allowed: 12 };
  server.headroom.modelLoaded("slow", { workers: 2, warmUpMs: 1, warmedByCall: true, places: () => places });
  expect(server.offer(4)).toBe(4);
  places.open = 4;
  server.pass(20_000);
  expect(server.headroom.carried.workers).toBeCloseTo(12);
});
