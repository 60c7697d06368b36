import { describe, expect, test } from "bun:test";

import type { AudioJob } from "../../src/pool/lane.ts";
import type { AssignedCall, SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler-options.ts";
import { Scheduler } from "../../src/pool/scheduler.ts";
import type { CallQueues } from "../../src/pool/withdrawals.ts";

const NO_AUDIO = { slabs: [], offset: 0, length: 0 };

/** A scheduler whose jobs have names. Its workers are ready. */
class TestScheduler extends Scheduler {
  readonly #names = new Map<AudioJob, string>();

  /** The last call that a worker has taken; by default, each is taken at once. */
  taken = Infinity;

  /** Calls that were aborted. */
  readonly aborted: number[] = [];

  /** @param ahead calls that a worker can have besides the one that it runs */
  constructor(options: Partial<SchedulerOptions> = {}, ahead = 0) {
    const { workers = 2 } = options;
    const model = { stateful: false, maxBatch: 1, maxBatchWaitMs: 0, idempotent: true };
    const limits = { maxInFlight: 4, timeoutMs: 1000, lostMs: 100 };
    const queues: CallQueues = {
      ahead,
      withdraw: ({ number }) => number > this.taken,
      abort: ({ number }) => void this.aborted.push(number),
    };
    super({ ...model, workers, ...limits, ...options }, queues);
    for (let worker = 0; worker < workers; worker++) this.workerReady(worker);
  }

  /** The first call of a worker. */
  call(worker: number): AssignedCall | undefined {
    return this.overdue(Infinity).find((call) => call.worker === worker);
  }

  /** Opens a lane of a stream, by default a new one. */
  lane(stream: object = {}, caller = "caller"): SchedulerLane {
    return this.openLane({ caller, stream }, undefined);
  }

  add(lane: SchedulerLane, kind: AudioJob["kind"], ...names: string[]): void {
    for (const name of names) {
      const job: AudioJob = { kind, start: 0, end: 0, audio: NO_AUDIO };
      this.#names.set(job, name);
      this.submit(lane, job, () => {}, 0);
    }
  }

  /** Starts the calls that can start. Returns the names of their jobs. */
  start(now = 0): string[] {
    const calls: string[] = [];
    this.review(now);
    for (let call = this.next(now); call !== undefined; call = this.next(now)) {
      calls.push(call.jobs.map(({ job }) => this.#names.get(job)).join("+"));
    }
    return calls;
  }

  /** Ends the first call of a worker. */
  end(worker: number, now = 0): void {
    const call = this.call(worker);
    if (call === undefined) throw new Error(`worker ${worker} has no call`);
    this.callEnded(worker, call.number, 1, now);
  }

  /** Runs calls on worker 0, one after the other, until no job waits. Returns the names of their jobs. */
  runAll(): string[] {
    const started: string[] = [];
    for (let calls = this.start(); calls.length > 0; calls = this.start()) {
      started.push(...calls);
      this.end(0);
    }
    return started;
  }
}

/** Each name this many times, in turn. */
function alternating(count: number, ...names: string[]): string[] {
  return Array.from({ length: count }, () => names).flat();
}

describe("turns", () => {
  for (const kind of ["final", "interim"] as const) {
    test(`a caller with 10 streams gets as many ${kind}s as a caller with one`, () => {
      const scheduler = new TestScheduler({ workers: 1, maxInFlight: 20 });
      const lanes = Array.from({ length: 10 }, () => scheduler.lane({}, "many"));
      for (const lane of lanes) scheduler.add(lane, kind, "many");
      const count = kind === "final" ? 10 : 1;
      const modest = scheduler.lane({}, "one");
      scheduler.add(modest, kind, ...Array<string>(count).fill("one"));
      const expected = [...alternating(count, "many", "one"), ...Array<string>(10 - count).fill("many")];
      expect(scheduler.runAll()).toEqual(expected);
    });

    test(`a stream with 16 channels gets as many ${kind}s as another of the same caller with one channel`, () => {
      const scheduler = new TestScheduler({ workers: 1, maxInFlight: 20 });
      const stream = {};
      for (let channel = 0; channel < 16; channel++) scheduler.add(scheduler.lane(stream), kind, "16");
      const count = kind === "final" ? 16 : 1;
      scheduler.add(scheduler.lane(), kind, ...Array<string>(count).fill("1"));
      const expected = [...alternating(count, "16", "1"), ...Array<string>(16 - count).fill("16")];
      expect(scheduler.runAll()).toEqual(expected);
    });
  }

  test("the streams of a caller take turns within the caller's turn, and the channels within the stream's", () => {
    const scheduler = new TestScheduler({ workers: 1 });
    const stereo = {};
    scheduler.add(scheduler.lane(stereo, "A"), "final", "A stereo left", "A stereo left");
    scheduler.add(scheduler.lane(stereo, "A"), "final", "A stereo right", "A stereo right");
    scheduler.add(scheduler.lane({}, "A"), "final", "A mono", "A mono");
    scheduler.add(scheduler.lane({}, "B"), "final", "B", "B", "B", "B", "B", "B");
    expect(scheduler.runAll().filter((name) => name !== "B")).toEqual([
      "A stereo left",
      "A mono",
      "A stereo right",
      "A mono",
      "A stereo left",
      "A stereo right",
    ]);
  });

  test("a batch takes its jobs in the same order", () => {
    const scheduler = new TestScheduler({ workers: 1, maxBatch: 4 });
    for (let i = 0; i < 4; i++) scheduler.add(scheduler.lane({}, "many"), "final", `many ${i}`);
    scheduler.add(scheduler.lane({}, "one"), "final", "one 0", "one 1");
    expect(scheduler.start()).toEqual(["many 0+one 0+many 1+one 1"]);
  });
});

describe("one worker is reserved for other streams", () => {
  test("a stream alone occupies all workers", () => {
    const scheduler = new TestScheduler();
    scheduler.add(scheduler.lane(), "final", "a1", "a2", "a3");
    expect(scheduler.start()).toEqual(["a1", "a2"]);
  });

  test("a stream occupies all but one while another has a lane open", () => {
    const scheduler = new TestScheduler({ workers: 3 });
    const [greedy, listener] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(greedy, "final", "a1", "a2", "a3");
    expect(scheduler.start()).toEqual(["a1", "a2"]);
    expect(scheduler.nextDueMs(0)).toBe(1000);
    scheduler.add(listener, "final", "b1");
    expect(scheduler.start()).toEqual(["b1"]);
    scheduler.end(2, 0);
    expect(scheduler.start()).toEqual(["a3"]);
  });

  test("a stream occupies all workers when the others have left", () => {
    const scheduler = new TestScheduler();
    const [greedy, listener] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(greedy, "final", "a1", "a2");
    expect(scheduler.start()).toEqual(["a1"]);
    scheduler.closeLane(listener);
    expect(scheduler.start()).toEqual(["a2"]);
  });

  test("several channels are one stream", () => {
    const scheduler = new TestScheduler();
    const stream = {};
    scheduler.lane();
    for (const name of ["a1", "a2", "a3"]) scheduler.add(scheduler.lane(stream), "final", name);
    expect(scheduler.start()).toEqual(["a1"]);
  });

  test("two streams of one caller may occupy all workers: people behind one proxy share a caller", () => {
    const scheduler = new TestScheduler();
    scheduler.lane({}, "other");
    scheduler.add(scheduler.lane({}, "proxy"), "final", "a1");
    scheduler.add(scheduler.lane({}, "proxy"), "final", "b1");
    expect(scheduler.start()).toEqual(["a1", "b1"]);
  });

  test("the reserved worker runs interims of other streams, too, while finals wait that may not go there", () => {
    const scheduler = new TestScheduler();
    const [greedy, other] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(greedy, "final", "a1", "a2");
    expect(scheduler.start()).toEqual(["a1"]);
    scheduler.add(other, "interim", "b");
    expect(scheduler.start()).toEqual(["b"]);
  });

  test("a batch occupies its worker for every stream that has a job in it", () => {
    const scheduler = new TestScheduler({ maxBatch: 2 });
    const [a, b, c] = [scheduler.lane(), scheduler.lane(), scheduler.lane()];
    scheduler.add(a, "final", "a1", "a2");
    scheduler.add(b, "final", "b1", "b2");
    expect(scheduler.start()).toEqual(["a1+b1"]);
    scheduler.add(c, "final", "c1", "c2");
    expect(scheduler.start()).toEqual(["c1+c2"]);
  });

  test("with one worker ready every stream may have it", () => {
    const scheduler = new TestScheduler();
    scheduler.workerEnded(1, 0, true);
    scheduler.lane();
    scheduler.add(scheduler.lane(), "final", "a1", "a2");
    expect(scheduler.start()).toEqual(["a1"]);
    scheduler.end(0, 0);
    expect(scheduler.start()).toEqual(["a2"]);
  });

  test("a lost worker stays occupied by the stream of its call until it is back, or for a limited time", () => {
    const scheduler = new TestScheduler();
    const [deadly, other] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(deadly, "final", "a1", "a2");
    expect(scheduler.start()).toEqual(["a1"]);
    scheduler.workerEnded(1, 0, false);
    expect(scheduler.start()).toEqual([]);
    scheduler.add(other, "final", "b1");
    expect(scheduler.start()).toEqual(["b1"]);
    scheduler.end(0, 10);
    expect(scheduler.start(10)).toEqual([]);
    expect(scheduler.nextDueMs(0)).toBe(100);
    expect(scheduler.start(100)).toEqual(["a2"]);
    scheduler.workerEnded(0, 110, false);
    scheduler.add(deadly, "final", "a3");
    scheduler.workerReady(1);
    expect(scheduler.start(110)).toEqual([]);
    scheduler.workerReady(0);
    expect(scheduler.start(110)).toEqual(["a3"]);
  });

  test("a call that a stream left running when it closed its lanes still counts when it opens others", () => {
    const scheduler = new TestScheduler();
    const stream = {};
    scheduler.lane();
    const left = scheduler.lane(stream);
    scheduler.add(left, "final", "a1");
    expect(scheduler.start()).toEqual(["a1"]);
    scheduler.closeLane(left);
    scheduler.add(scheduler.lane(stream), "final", "a2");
    expect(scheduler.start()).toEqual([]);
    scheduler.end(1, 0);
    expect(scheduler.start()).toEqual(["a2"]);
  });
});

test("a job that is called again does not wait for others, because it is called alone", () => {
  const scheduler = new TestScheduler({ workers: 1, maxBatch: 2, maxBatchWaitMs: 5 });
  scheduler.add(scheduler.lane(), "final", "a1");
  expect(scheduler.start()).toEqual([]);
  expect(scheduler.nextDueMs(0)).toBe(5);
  expect(scheduler.start(5)).toEqual(["a1"]);
  scheduler.workerEnded(0, 6, true);
  scheduler.workerReady(0);
  expect(scheduler.start(6)).toEqual(["a1"]);
});

describe("a call ahead", () => {
  /** A scheduler of one worker that runs a call of 50 ms, and takes no other. */
  function busy(options: Partial<SchedulerOptions> = {}): TestScheduler {
    const scheduler = new TestScheduler({ workers: 1, ...options }, 64);
    scheduler.taken = 0;
    scheduler.add(scheduler.lane(), "final", "running");
    expect(scheduler.start()).toEqual(["running"]);
    return scheduler;
  }

  test("is one final, so that the worker does not wait for the main thread; interims are not ahead", () => {
    const scheduler = busy();
    scheduler.add(scheduler.lane(), "interim", "i");
    expect(scheduler.start()).toEqual([]);
    scheduler.add(scheduler.lane(), "final", "a");
    scheduler.add(scheduler.lane(), "final", "b");
    expect(scheduler.start()).toEqual(["a"]);
    expect([scheduler.finalsWaiting, scheduler.finalsPending]).toEqual([2, 3]);
  });

  test("is not the only one of a model whose calls take less than a turn of the main thread", () => {
    const scheduler = new TestScheduler({ workers: 1, maxInFlight: 1000 }, 64);
    const lane = scheduler.lane();
    scheduler.add(lane, "final", "first");
    scheduler.start();
    scheduler.callEnded(0, 0, 0.01, 1);
    scheduler.add(lane, "final", ...Array<string>(100).fill("more"));
    expect(scheduler.start(1)).toHaveLength(65);
  });

  test("that came after the end of the one before it, which was reported late, started when it came", () => {
    const scheduler = busy();
    const job: AudioJob = { kind: "final", start: 0, end: 0, audio: NO_AUDIO };
    scheduler.submit(scheduler.lane(), job, () => {}, 100);
    expect(scheduler.next(100)?.jobs).toMatchObject([{ job }]);
    scheduler.callEnded(0, 0, 50, 200);
    expect(scheduler.callEnded(0, 1, 10, 300)?.jobs).toMatchObject([{ job, queueMs: 0, startedMs: 100 }]);
  });

  test("is taken back when its lane is closed: the job is dropped and not counted as run", () => {
    const scheduler = busy();
    const [lane, other] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(lane, "final", "a");
    scheduler.start();
    scheduler.closeLane(lane);
    expect(scheduler.takeDropped()).toMatchObject([{ cancelled: false, calls: 0 }]);
    scheduler.add(other, "final", "b");
    expect(scheduler.start()).toEqual(["b"]);
  });

  test("that has been taken when its lane is closed ends with its call", () => {
    const scheduler = busy();
    const lane = scheduler.lane();
    scheduler.add(lane, "final", "a");
    scheduler.start();
    scheduler.taken = 1;
    scheduler.closeLane(lane);
    expect(scheduler.takeDropped()).toMatchObject([{ cancelled: true, calls: 1 }]);
  });

  test("is taken back when finals come that can share a batch with it", () => {
    const scheduler = busy({ maxBatch: 4 });
    for (const [name, batch] of [
      ["a", "a"],
      ["b", "a+b"],
      ["c", "a+b+c"],
    ] as const) {
      scheduler.add(scheduler.lane(), "final", name);
      expect(scheduler.start()).toEqual([batch]);
    }
  });

  test("is taken back when another worker has nothing to do", () => {
    const scheduler = new TestScheduler({ workers: 2 }, 64);
    scheduler.taken = 1;
    for (const name of ["a", "b", "c", "d"]) scheduler.add(scheduler.lane(), "final", name);
    expect(scheduler.start()).toEqual(["a", "b", "c", "d"]);
    // The worker of the first call takes the third one, and ends both.
    scheduler.taken = 2;
    for (const number of [0, 2]) scheduler.callEnded(1, number, 1, 1);
    expect(scheduler.start(1)).toEqual(["d"]);
    expect(scheduler.call(1)?.number).toBe(4);
  });

  test("goes before what waits when a worker has nothing to do: blocks of a stream run in order", () => {
    const scheduler = new TestScheduler({ workers: 2, maxInFlight: 8 }, 64);
    scheduler.workerEnded(0, 0, false);
    scheduler.taken = 0;
    scheduler.add(scheduler.lane(), "final", "a", "b", "c", "d");
    expect(scheduler.start()).toEqual(["a", "b"]);
    scheduler.workerReady(0);
    expect(scheduler.start()).toEqual(["b", "c", "d"]);
  });

  test("is taken back when another stream comes, for which one worker is reserved", () => {
    const scheduler = new TestScheduler({ workers: 2 }, 64);
    scheduler.taken = 1;
    const greedy = scheduler.lane();
    scheduler.add(greedy, "final", "a1", "a2", "a3", "a4");
    expect(scheduler.start()).toEqual(["a1", "a2", "a3", "a4"]);
    scheduler.add(scheduler.lane(), "final", "b");
    expect(scheduler.start()).toEqual(["b"]);
  });

  test("does not wait behind a call that takes far longer than others", () => {
    const scheduler = new TestScheduler({ workers: 2 }, 64);
    scheduler.taken = 1;
    scheduler.add(scheduler.lane(), "final", "slow");
    scheduler.add(scheduler.lane(), "final", "b");
    scheduler.add(scheduler.lane(), "final", "c");
    expect(scheduler.start()).toEqual(["slow", "b", "c"]);
    scheduler.callEnded(0, 1, 1, 1);
    const behind = scheduler.call(1);
    scheduler.add(scheduler.lane(), "final", "d", "e");
    expect(behind === undefined || behind.number < 3).toBe(true);
    expect(scheduler.start(100)).toContain("c");
  });

  test("of a worker that ended waits again, uncounted, in its turn; the call that ran is repeated", () => {
    const scheduler = busy();
    scheduler.add(scheduler.lane(), "final", "a");
    expect(scheduler.start()).toEqual(["a"]);
    const { calls, jobs } = scheduler.workerEnded(0, 1, true);
    expect([calls.length, jobs]).toEqual([1, []]);
    scheduler.workerReady(0);
    scheduler.taken = Infinity;
    expect(scheduler.start(1)).toEqual(["a", "running"]);
  });

  test("has its deadline when it has started", () => {
    const scheduler = busy({ timeoutMs: 100 });
    scheduler.add(scheduler.lane(), "final", "a");
    scheduler.start();
    scheduler.callEnded(0, 0, 80, 80);
    expect(scheduler.overdue(179)).toEqual([]);
    expect(scheduler.overdue(180)).toMatchObject([{ worker: 0, number: 1 }]);
  });

  test("does not keep an interim that no worker has taken before a final", () => {
    const scheduler = new TestScheduler({ workers: 1 }, 64);
    scheduler.taken = -1;
    scheduler.add(scheduler.lane(), "interim", "i");
    expect(scheduler.start()).toEqual(["i"]);
    scheduler.add(scheduler.lane(), "final", "f");
    expect(scheduler.start()).toEqual(["f"]);
  });
});

describe("a model that takes several calls at once", () => {
  test("has a place for each call of each worker, and calls are spread over the workers", () => {
    const scheduler = new TestScheduler({ workers: 2, concurrency: 3 });
    for (let i = 0; i < 8; i++) scheduler.add(scheduler.lane(), "final", `${i}`);
    expect(scheduler.start()).toEqual(["0", "1", "2", "3", "4", "5"]);
    expect([scheduler.idleWorkers, scheduler.busyWorkers, scheduler.finalsWaiting]).toEqual([0, 2, 2]);
    const calls = scheduler.overdue(Infinity);
    expect([0, 1].map((worker) => calls.filter((call) => call.worker === worker).length)).toEqual([3, 3]);
    const [first] = calls;
    scheduler.callEnded(first!.worker, first!.number, 1, 1);
    expect(scheduler.start(1)).toEqual(["6"]);
  });

  test("keeps one of its places free of interims, and one from a stream that would have all", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 4, maxInFlight: 8 });
    for (let i = 0; i < 4; i++) scheduler.add(scheduler.lane(), "interim", `i${i}`);
    expect(scheduler.start()).toEqual(["i0", "i1", "i2"]);
    const other = new TestScheduler({ workers: 1, concurrency: 4, maxInFlight: 8 });
    const greedy = other.lane();
    const quiet = other.lane();
    other.add(greedy, "final", "a", "b", "c", "d", "e");
    expect(other.start()).toEqual(["a", "b", "c"]);
    other.add(quiet, "final", "q");
    expect(other.start()).toEqual(["q"]);
  });

  test("has no calls ahead: a job waits for a place, and goes to the first that is free", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 2 }, 64);
    for (const name of ["a", "b", "c"]) scheduler.add(scheduler.lane(), "final", name);
    expect(scheduler.start()).toEqual(["a", "b"]);
    scheduler.callEnded(0, 1, 1, 1);
    expect(scheduler.start(1)).toEqual(["c"]);
  });

  test("ends all calls of a worker that ends; those that can be repeated wait again", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 3 });
    for (const name of ["a", "b", "c"]) scheduler.add(scheduler.lane(), "final", name);
    scheduler.start();
    const { calls, jobs } = scheduler.workerEnded(0, 1, true);
    expect([calls.length, jobs.length, scheduler.busyWorkers]).toEqual([3, 0, 0]);
    scheduler.workerReady(0);
    expect(scheduler.start(1)).toEqual(["c", "b", "a"]);
  });

  test("aborts a call when all of its lanes are closed, and not before", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 2, maxBatch: 2 });
    const [one, two] = [scheduler.lane(), scheduler.lane()];
    scheduler.add(one, "final", "a");
    scheduler.add(two, "final", "b");
    expect(scheduler.start()).toEqual(["a+b"]);
    scheduler.closeLane(one);
    expect(scheduler.aborted).toEqual([]);
    scheduler.closeLane(two);
    expect(scheduler.aborted).toEqual([0]);
    expect([scheduler.finalsPending, scheduler.busyWorkers]).toEqual([0, 1]);
  });

  test("aborts an interim that a final overtakes, which is dropped at once", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 3 });
    const lane = scheduler.lane();
    scheduler.add(lane, "interim", "i");
    scheduler.start();
    scheduler.add(lane, "final", "f");
    expect(scheduler.aborted).toEqual([0]);
    expect(scheduler.takeDropped().map(({ dropReason }) => dropReason)).toEqual(["overtaken"]);
    expect(scheduler.start()).toEqual(["f"]);
  });

  test("keeps the place of a call that has expired until it ends; its lane waits for it", () => {
    const scheduler = new TestScheduler({ workers: 1, concurrency: 2, stateful: true, timeoutMs: 100 });
    const lane = scheduler.lane();
    scheduler.add(lane, "final", "a", "b");
    scheduler.start();
    const [call] = scheduler.overdue(100);
    expect(scheduler.expire(call!, 150)).toHaveLength(1);
    expect([scheduler.aborted, scheduler.finalsPending]).toEqual([[0], 1]);
    expect(scheduler.start(100)).toEqual([]);
    expect([scheduler.overdue(149), scheduler.overdue(150)]).toMatchObject([[], [{ number: 0, expired: true }]]);
    scheduler.callEnded(0, 0, 110, 110);
    expect(scheduler.start(110)).toEqual(["b"]);
  });
});
