import { describe, expect, test } from "bun:test";

import type { SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler.ts";
import { Scheduler } from "../../src/pool/scheduler.ts";

/** Sessions. */
const [A, B, C] = [{}, {}, {}];

function scheduler(options: Partial<SchedulerOptions> = {}): Scheduler<string> {
  const workers = options.workers ?? 2;
  const [maxInFlight, stateful, maxBatch, maxBatchWaitMs, timeoutMs] = [4, false, 1, 0, 1000];
  const absenceMs = 100;
  const idempotent = true;
  const all = {
    workers,
    maxInFlight,
    stateful,
    maxBatch,
    maxBatchWaitMs,
    idempotent,
    timeoutMs,
    absenceMs,
    ...options,
  };
  const made = new Scheduler<string>(all);
  for (let worker = 0; worker < workers; worker++) made.workerReady(worker);
  return made;
}

function submit(to: Scheduler<string>, lane: SchedulerLane<string>, ...names: string[]): void {
  for (const name of names) to.submit(lane, "final", name, 0);
}

/** The calls that begin now, as the names of their pieces. */
function begun(by: Scheduler<string>, nowMs = 0): string[] {
  const calls: string[] = [];
  for (let call = by.next(nowMs); call; call = by.next(nowMs))
    calls.push(call.jobs.map((job) => job.payload).join("+"));
  return calls;
}

describe("one worker is left for others", () => {
  test("a session alone occupies all workers", () => {
    const lone = scheduler();
    submit(lone, lone.openLane(A), "a1", "a2", "a3");
    expect(begun(lone)).toEqual(["a1", "a2"]);
  });

  test("beside a session that only listens it occupies all but one", () => {
    const shared = scheduler({ workers: 3 });
    const [greedy, listener] = [shared.openLane(A), shared.openLane(B)];
    submit(shared, greedy, "a1", "a2", "a3");
    expect(begun(shared)).toEqual(["a1", "a2"]);
    expect(shared.nextDueMs()).toBe(1000);
    submit(shared, listener, "b1");
    expect(begun(shared)).toEqual(["b1"]);
    shared.callEnded(2, 0);
    expect(begun(shared)).toEqual(["a3"]);
  });

  test("it goes on with all of them when the others have left", () => {
    const shared = scheduler();
    const [greedy, listener] = [shared.openLane(A), shared.openLane(B)];
    submit(shared, greedy, "a1", "a2");
    expect(begun(shared)).toEqual(["a1"]);
    shared.closeLane(listener);
    expect(begun(shared)).toEqual(["a2"]);
  });

  test("more channels are still one session", () => {
    const shared = scheduler();
    shared.openLane(B);
    for (const name of ["a1", "a2", "a3"]) submit(shared, shared.openLane(A), name);
    expect(begun(shared)).toEqual(["a1"]);
  });

  test("the worker that is left runs interims of others, too, while finals wait that may not go there", () => {
    const shared = scheduler();
    const [greedy, other] = [shared.openLane(A), shared.openLane(B)];
    submit(shared, greedy, "a1", "a2");
    expect(begun(shared)).toEqual(["a1"]);
    shared.submit(other, "interim", "b", 0);
    expect(begun(shared)).toEqual(["b"]);
  });

  test("a batch occupies its worker for every session that has a piece in it", () => {
    const shared = scheduler({ maxBatch: 2 });
    const [a, b, c] = [shared.openLane(A), shared.openLane(B), shared.openLane(C)];
    submit(shared, a, "a1", "a2");
    submit(shared, b, "b1", "b2");
    expect(begun(shared)).toEqual(["a1+b1"]);
    submit(shared, c, "c1", "c2");
    expect(begun(shared)).toEqual(["c1+c2"]);
  });

  test("with one worker ready everybody may have it", () => {
    const shared = scheduler();
    shared.workerGone(1, 0, true);
    shared.openLane(B);
    submit(shared, shared.openLane(A), "a1", "a2");
    expect(begun(shared)).toEqual(["a1"]);
    shared.callEnded(0, 0);
    expect(begun(shared)).toEqual(["a2"]);
  });

  test("a worker that a session took down stays occupied by it until it is back, or has been away too long", () => {
    const shared = scheduler();
    const [deadly, other] = [shared.openLane(A), shared.openLane(B)];
    submit(shared, deadly, "a1", "a2");
    expect(begun(shared)).toEqual(["a1"]);
    shared.workerGone(1, 0, false);
    expect(begun(shared)).toEqual([]);
    submit(shared, other, "b1");
    expect(begun(shared)).toEqual(["b1"]);
    shared.callEnded(0, 10);
    expect(begun(shared, 10)).toEqual([]);
    expect(shared.nextDueMs()).toBe(100);
    expect(begun(shared, 100)).toEqual(["a2"]);
    shared.workerGone(0, 110, false);
    submit(shared, deadly, "a3");
    shared.workerReady(1);
    expect(begun(shared, 110)).toEqual([]);
    shared.workerReady(0);
    expect(begun(shared, 110)).toEqual(["a3"]);
  });

  test("what a session left running when it closed its lanes still counts when it opens others", () => {
    const shared = scheduler();
    shared.openLane(B);
    const left = shared.openLane(A);
    submit(shared, left, "a1");
    expect(begun(shared)).toEqual(["a1"]);
    shared.closeLane(left);
    submit(shared, shared.openLane(A), "a2");
    expect(begun(shared)).toEqual([]);
    shared.callEnded(1, 0);
    expect(begun(shared)).toEqual(["a2"]);
  });
});

test("what is called again is not held for others, since it goes alone", () => {
  const held = scheduler({ workers: 1, maxBatch: 2, maxBatchWaitMs: 5 });
  submit(held, held.openLane(A), "a1");
  expect(begun(held)).toEqual([]);
  expect(held.nextDueMs()).toBe(5);
  expect(begun(held, 5)).toEqual(["a1"]);
  held.workerGone(0, 6, true);
  held.workerReady(0);
  expect(begun(held, 6)).toEqual(["a1"]);
});
