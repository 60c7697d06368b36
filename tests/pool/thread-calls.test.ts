import { expect, test } from "bun:test";

import { ThreadCalls } from "../../src/pool/thread-calls.ts";
import { CallRing } from "../../src/worker/call-ring.ts";
import type { JobMessage } from "../../src/worker/messages.ts";

const JOB: JobMessage = { lane: 0, final: true, slabs: [], offset: 0, length: 0, start: 0 };

/** The calls of a host, and the ring as its thread sees it. */
function connected(): { readonly calls: ThreadCalls; readonly thread: CallRing } {
  const calls = new ThreadCalls(() => {});
  return { calls, thread: new CallRing(calls.ring.buffer) };
}

test("calls that find no room in the ring wait in order, and can be taken back", () => {
  const { calls, thread } = connected();
  const count = CallRing.CAPACITY + 50;
  for (let call = 0; call < count; call++) calls.add(call, [{ ...JOB, lane: call }]);
  expect([calls.hasWaiting, calls.hasTaken(0), calls.positions.length]).toEqual([true, false, CallRing.CAPACITY]);
  expect([calls.withdraw(0), calls.withdraw(count - 1)]).toEqual([false, true]);
  const lanes: number[] = [];
  while (calls.hasWaiting || thread.queued > 0) {
    for (let i = 0; i < 10; i++) lanes.push(...(thread.take()?.jobs ?? []).map(({ lane }) => lane));
    calls.queueWaiting();
  }
  expect(lanes).toEqual(Array.from({ length: count - 1 }, (_, i) => i));
  expect(calls.hasTaken(count - 2)).toBe(true);
});

test("all calls that were not taken can be taken back, those that wait for room among them", () => {
  const { calls, thread } = connected();
  for (let call = 0; call < CallRing.CAPACITY + 5; call++) calls.add(call, [JOB]);
  thread.take();
  calls.withdrawAll();
  expect([calls.hasWaiting, calls.positions, thread.queued]).toEqual([false, [0], 0]);
});

test("a call may run while others go all the way round the positions", () => {
  const { calls, thread } = connected();
  calls.add(0, [JOB]);
  const held = thread.take()!;
  let fillers = 0;
  for (let call = 1; call < 140_000; call++) {
    calls.add(call, [JOB]);
    let taken = thread.take()!;
    for (; taken.jobs?.length === 0; taken = thread.take()!) fillers++;
    const [ended] = calls.end([{ position: taken.position, inferMs: 1, results: [{}] }]);
    if (ended?.call !== call) throw new Error(`call ${call} has ended as ${ended?.call}`);
  }
  expect(fillers).toBe(2);
  expect(calls.end([{ position: held.position, inferMs: 1, results: [{}] }])).toMatchObject([{ call: 0 }]);
  expect(calls.positions).toEqual([]);
});

test("that a lane has ended is posted with its last call that is not taken, when none of its calls waits", () => {
  const { calls, thread } = connected();
  const posted: [lane: number, last: number | undefined][] = [];
  const forget = (lane: number): void => calls.forget(lane, (last) => posted.push([lane, last]));
  for (let call = 0; call < CallRing.CAPACITY + 2; call++) calls.add(call, [{ ...JOB, lane: call }]);
  const [first, second] = [CallRing.CAPACITY, CallRing.CAPACITY + 1];
  for (const lane of [3, 1000, first, second]) forget(lane);
  expect(posted).toEqual([
    [3, 3],
    [1000, undefined],
  ]);
  calls.withdraw(second);
  expect(posted.slice(2)).toEqual([[second, undefined]]);
  while (thread.queued > 0) thread.take();
  forget(5);
  calls.queueWaiting();
  expect(posted.slice(3)).toEqual([
    [5, undefined],
    [first, first],
  ]);
});
