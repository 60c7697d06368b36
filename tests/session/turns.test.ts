import { describe, expect, test } from "bun:test";

import { Slice, SLICE_MS, Turns, type Waiting } from "../../src/session/turns.ts";
import { FLUSH, STOP } from "../support/requests.ts";
import { SessionHarness } from "../support/session-harness.ts";

/** An event loop and a clock in the hands of the test. */
class Loop {
  now = 0;
  readonly turns = new Turns(
    () => this.now,
    (task) => this.#tasks.push(task),
  );
  #tasks: (() => void)[] = [];

  /** Runs the next turn. Returns false when nothing was scheduled. */
  turn(): boolean {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
    return tasks.length > 0;
  }
}

/** Somebody with pieces of work that take a time each. */
class Worker implements Waiting {
  done = 0;
  readonly #slice: Slice;
  readonly #loop: Loop;

  constructor(loop: Loop, steps: number, stepMs: number) {
    this.#loop = loop;
    let left = steps;
    const step = (): boolean => {
      if (left === 0) return false;
      left -= 1;
      this.done += 1;
      loop.now += stepMs;
      return true;
    };
    this.#slice = new Slice(loop.turns, this, () => loop.now, step);
  }

  run(): void {
    this.#slice.run(this.#loop.now);
  }

  failed(error: unknown): void {
    throw error;
  }

  takeTurn(): void {
    this.#slice.renew(this.#loop.now);
    this.#slice.run(this.#loop.now);
  }
}

describe("turns", () => {
  test("a session goes on at once while its slice lasts, and in later turns with the rest", () => {
    const loop = new Loop();
    const worker = new Worker(loop, 10, SLICE_MS / 4);
    worker.run();
    expect(worker.done).toBe(4);
    worker.run();
    expect(worker.done).toBe(4);
    loop.turn();
    expect(worker.done).toBe(8);
    while (loop.turn());
    expect(worker.done).toBe(10);
    expect(loop.turns.waiting).toBe(0);
  });

  test("what a session uses in several parts adds up, for some milliseconds", () => {
    const loop = new Loop();
    const parts = Array.from({ length: 5 }, () => new Worker(loop, 1, SLICE_MS / 4));
    const steps = parts.values();
    let done = 0;
    const session = { takeTurn: () => undefined, failed: () => undefined };
    const slice = new Slice(
      loop.turns,
      session,
      () => loop.now,
      () => {
        const part = steps.next().value;
        if (part === undefined) return false;
        part.run();
        done += 1;
        return false;
      },
    );
    for (let i = 0; i < 4; i++) slice.run(loop.now);
    expect([done, loop.turns.has(session)]).toEqual([4, false]);
    slice.run(loop.now);
    expect([done, loop.turns.has(session)]).toEqual([4, true]);
    loop.turn();
    loop.now += 10;
    slice.run(loop.now);
    expect(done).toBe(5);
  });

  test("sessions that wait go on one after the other, and each once in a turn", () => {
    const loop = new Loop();
    const workers = Array.from({ length: 3 }, () => new Worker(loop, 20, SLICE_MS / 4));
    for (const worker of workers) worker.run();
    loop.turn();
    expect(workers.map(({ done }) => done)).toEqual([8, 8, 8]);
  });

  test("many that wait share a part of each turn, in order", () => {
    const loop = new Loop();
    const workers = Array.from({ length: 12 }, () => new Worker(loop, 40, SLICE_MS));
    for (const worker of workers) worker.run();
    const before = loop.now;
    loop.turn();
    expect(loop.now - before).toBeLessThan(12 * SLICE_MS);
    expect(Math.max(...workers.map(({ done }) => done))).toBe(2);
    for (let i = 0; i < 2; i++) loop.turn();
    expect(workers.map(({ done }) => done)).toEqual(Array.from({ length: 12 }, () => 2));
  });

  test("a session that stays within its slice schedules nothing", () => {
    const loop = new Loop();
    new Worker(loop, 1, 0).run();
    expect(loop.turn()).toBeFalse();
  });
});

describe("a client that floods its session", () => {
  test("holds up no other one, and gets all its answers in order in the end", () => {
    using harness = new SessionHarness();
    harness.readingMs = SLICE_MS / 10;
    const { session, connection } = harness.start();
    for (let i = 0; i < 200; i++) session.receive(FLUSH);
    session.receive(STOP);
    const answered = connection.events.length;
    expect(answered).toBeLessThan(30);
    const other = harness.start();
    expect(other.connection.summaries).toEqual(["started"]);
    for (let i = 0; i < 200; i++) harness.nextTurn();
    expect(connection.summaries).toEqual(["started", ...Array.from({ length: 200 }, () => "flushed"), "stopped stop"]);
  });

  test("is not read any more when its inbox is full", () => {
    using harness = new SessionHarness({ "limits.inbox_bytes": 4_096 });
    harness.readingMs = SLICE_MS;
    const { session, connection } = harness.start();
    for (let i = 0; i < 60; i++) session.receive(FLUSH);
    expect(connection.paused).toBeTrue();
    for (let i = 0; i < 100; i++) harness.nextTurn();
    expect(connection.paused).toBeFalse();
    expect(connection.summaries.filter((event) => event === "flushed")).toHaveLength(60);
  });

  test("and vanishes leaves nothing behind", () => {
    using harness = new SessionHarness();
    harness.readingMs = SLICE_MS;
    const { session, connection } = harness.start();
    for (let i = 0; i < 20; i++) session.receive(FLUSH);
    session.disconnected();
    const events = connection.events.length;
    for (let i = 0; i < 5; i++) harness.nextTurn();
    expect(connection.events).toHaveLength(events);
    expect(harness.arena.used).toBe(0);
  });
});
