import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import fc from "fast-check";

import { CallRing } from "../../src/worker/call-ring.ts";
import type { JobMessage } from "../../src/worker/messages.ts";

const JOB: JobMessage = { lane: 3, final: true, slabs: [4, 5], offset: 6, length: 7, start: 8 };
const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** Both sides of a ring. */
function sides(): { host: CallRing; worker: CallRing } {
  const host = new CallRing();
  return { host, worker: new CallRing(host.buffer) };
}

test("a call arrives as it was queued: kind, step, slabs, position, utterance, trace context", () => {
  const { host, worker } = sides();
  const calls: JobMessage[][] = [
    [JOB],
    [JOB, { ...JOB, lane: 2 ** 30, final: false, slabs: [], traceparent: TRACE }, { ...JOB, step: "start" }],
    [{ ...JOB, traceparent: TRACE, step: "finish" }],
    [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3].map((start) => ({ ...JOB, start, utterance: 0 })),
    [{ ...JOB, utterance: 2 ** 30, step: "step" }],
  ];
  for (const jobs of calls) {
    expect(CallRing.fits(jobs)).toBe(true);
    host.push(jobs);
  }
  expect(calls.map(() => worker.take()?.jobs)).toEqual(calls);
  expect(worker.take()).toBeUndefined();
});

test("a call with state, with more slabs than fit, or with a strange trace context travels as a message", () => {
  expect(CallRing.fits([{ ...JOB, state: null }])).toBe(false);
  expect(CallRing.fits([{ ...JOB, slabs: Array.from({ length: 500 }, (_, i) => i) }])).toBe(false);
  expect(CallRing.fits([{ ...JOB, traceparent: "00-a-b-01" }])).toBe(false);
  const { host, worker } = sides();
  expect(host.nextPosition).toBe(0);
  host.push(undefined);
  expect(worker.take()).toEqual({ position: 0, jobs: undefined });
});

test("each call is either taken or withdrawn, whatever the order, also when positions begin again", () => {
  const moves = fc.array(fc.constantFrom("push", "take", "withdraw"), { maxLength: 400 });
  fc.assert(
    fc.property(moves, fc.integer({ min: 0, max: 0xffff }), (all, before) => {
      const { host, worker } = sides();
      for (let i = 0; i < before; i++) expect([host.push([]), worker.take()?.position]).toEqual([i, i]);
      const queued: number[] = [];
      let lane = 0;
      for (const move of all) {
        if (move === "push" && queued.length < CallRing.CAPACITY) {
          host.push([{ ...JOB, lane: ++lane }]);
          queued.push(lane);
        } else if (move === "take") expect(worker.take()?.jobs?.[0]?.lane).toBe(queued.shift()!);
        else if (move === "withdraw") expect(host.withdraw()).toBe(queued.pop() !== undefined);
      }
    }),
    { numRuns: 30 },
  );
});

describe("a worker that finds no call", () => {
  test("is woken once, when there is one", () => {
    const { host, worker } = sides();
    expect([worker.sleep(), host.wake()]).toEqual([true, false]);
    host.push([JOB]);
    expect([host.wake(), host.wake()]).toEqual([true, false]);
  });

  test("does not fall asleep when one comes at that moment", () => {
    const { host, worker } = sides();
    host.push([JOB]);
    expect([worker.sleep(), host.wake()]).toEqual([false, false]);
  });

  test("is not woken for a call that was withdrawn", () => {
    const { host, worker } = sides();
    worker.sleep();
    host.push([JOB]);
    host.withdraw();
    expect(host.wake()).toBe(false);
  });
});

test("a worker knows that a message is on its way", () => {
  const { host, worker } = sides();
  expect(worker.messageWaits).toBe(false);
  host.countPosted();
  expect(worker.messageWaits).toBe(true);
  worker.countReceived();
  expect(worker.messageWaits).toBe(false);
});

test("a worker knows which results the host has had, also when positions begin again", () => {
  const { host, worker } = sides();
  expect(worker.isAnswered(0)).toBe(false);
  for (const position of [1, 40_000, 0xffff, 0, 1]) {
    host.setAnswered(position);
    expect(worker.isAnswered((position - 1) & 0xffff)).toBe(true);
    expect(worker.isAnswered(position)).toBe(false);
    expect(worker.isAnswered((position + 100) & 0xffff)).toBe(false);
  }
});

test("a worker on another thread takes what is not withdrawn, once, while the host queues and withdraws", async () => {
  const source = `
    import { CallRing } from ${JSON.stringify(join(import.meta.dir, "../../src/worker/call-ring.ts"))};
    self.onmessage = ({ data }) => {
      const ring = new CallRing(data);
      const lanes = [];
      for (;;) {
        const lane = ring.take()?.jobs[0].lane;
        if (lane === -1) break;
        if (lane !== undefined) lanes.push(lane);
      }
      self.postMessage(lanes);
    };`;
  const url = URL.createObjectURL(new Blob([source], { type: "application/typescript" }));
  const worker = new Worker(url);
  try {
    const host = new CallRing();
    const taken = new Promise<number[]>((resolve) => (worker.onmessage = ({ data }) => resolve(data as number[])));
    worker.postMessage(host.buffer);
    const expected: number[] = [];
    for (let lane = 0; lane < 20_000; lane++) {
      // Far fewer are queued than fit, so that none is overwritten before it is taken.
      while (host.queued > 50) await Bun.sleep(0);
      host.push([{ ...JOB, lane }]);
      if (lane % 3 === 0 && host.withdraw()) continue;
      expected.push(lane);
    }
    while (host.queued > 50) await Bun.sleep(0);
    host.push([{ ...JOB, lane: -1 }]);
    expect(await taken).toEqual(expected);
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
});
