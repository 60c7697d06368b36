import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { LEAVE_GRACE_MS } from "../../src/pool/abandoned-hosts.ts";
import { CRASHES_AT_ONCE, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS } from "../../src/pool/restarts.ts";
import type { LaneJob } from "../../src/pool/worker-host.ts";
import { CLOSE_GRACE_MS, TERMINATE_GRACE_MS } from "../../src/pool/worker-slot.ts";
import { Workers } from "../../src/pool/workers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { ScriptedHosts } from "../support/scripted-host.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const LOAD_TIMEOUT_MS = 1000;
const JOBS: LaneJob[] = [];

/** Workers with scripted hosts, and their reports. */
class WorkersHarness {
  readonly clock = new ManualClock();
  readonly hosts = new ScriptedHosts();
  readonly reports: string[] = [];
  readonly workers: Workers;

  constructor(count: number) {
    this.workers = new Workers({
      count,
      model: "m",
      startHost: (start, events) => this.hosts.start(start as never, events),
      loadTimeoutMs: LOAD_TIMEOUT_MS,
      clock: this.clock,
      events: {
        ready: (worker) => this.reports.push(`ready ${worker}`),
        done: (worker, results) => results.forEach(({ call }) => this.reports.push(`done ${worker} ${call}`)),
        exited: (worker, { cause }) => this.reports.push(`exited ${worker}: ${cause}`),
        loadFailed: (worker, { cause }) => this.reports.push(`load failed ${worker}: ${cause}`),
        noneLeft: () => this.reports.push("none left"),
        fewer: () => {},
        stuck: (worker, abandoned) => this.reports.push(`stuck ${worker} of ${abandoned}`),
        reported: (worker, report) => this.reports.push(`report ${worker} ${JSON.stringify(report)}`),
        strangeMessage: (worker) => this.reports.push(`strange message ${worker}`),
      },
    });
  }

  /** Workers that are ready. */
  static started(count: number): WorkersHarness {
    const harness = new WorkersHarness(count);
    for (const host of harness.hosts.started) host.becomeReady();
    harness.takeReports();
    return harness;
  }

  takeReports(): string[] {
    return this.reports.splice(0);
  }
}

describe("workers of which there is one at a time in each place, such as processes", () => {
  function exclusive(count: number): WorkersHarness {
    const harness = WorkersHarness.started(count);
    for (const host of harness.hosts.started) host.exclusive = true;
    return harness;
  }

  test("are terminated at once when a call takes too long, and replaced when they have ended", () => {
    const { workers, hosts } = exclusive(1);
    let ended = false;
    workers.replace(0, () => (ended = true));
    expect([hosts.last.terminated, hosts.started.length, workers.abandoned, ended]).toEqual([true, 1, 1, false]);
    hosts.started[0]!.exit();
    expect([hosts.started.length, workers.abandoned, ended]).toEqual([2, 0, true]);
    hosts.last.becomeReady();
    expect([workers.readyCount, workers.unavailable]).toEqual([1, undefined]);
  });

  test("do not wait for each other", () => {
    const { workers, hosts } = exclusive(2);
    workers.replace(0, () => {});
    workers.replace(1, () => {});
    expect(hosts.started.length).toBe(2);
    hosts.started[1]!.exit();
    expect([hosts.started.length, workers.abandoned]).toEqual([3, 1]);
    hosts.started[0]!.exit();
    expect([hosts.started.length, workers.abandoned]).toEqual([4, 0]);
  });

  test("that do not end make the model unavailable after a time, until they do", () => {
    const { workers, hosts, clock } = exclusive(1);
    workers.replace(0, () => {});
    clock.advance(LEAVE_GRACE_MS - 1);
    expect([workers.unavailable, workers.none]).toEqual([undefined, false]);
    clock.advance(1);
    expect(workers.unavailable?.reason).toBe("1 process does not end, so no more workers are started");
    expect(workers.none).toBeTrue();
    hosts.started[0]!.exit();
    hosts.last.becomeReady();
    expect([workers.unavailable, workers.none, workers.readyCount]).toEqual([undefined, false, 1]);
  });

  test("end before the next one when their load takes too long", () => {
    const harness = new WorkersHarness(1);
    harness.hosts.last.becomeReady();
    harness.hosts.last.exit();
    harness.clock.advance(FIRST_BACKOFF_MS);
    expect(harness.hosts.started.length).toBe(2);
    harness.hosts.last.exclusive = true;
    harness.clock.advance(LOAD_TIMEOUT_MS);
    harness.clock.advance(LONGEST_BACKOFF_MS);
    expect([harness.hosts.last.terminated, harness.hosts.started.length]).toEqual([true, 2]);
    harness.hosts.last.exit();
    expect(harness.hosts.started.length).toBe(3);
  });
});

test("a number of workers that is not an integer from 1 is refused", () => {
  for (const count of [0, -1, 1.5, NaN]) expect(() => new WorkersHarness(count)).toThrow(RangeError);
});

describe("the start", () => {
  test("is complete when all workers are ready", async () => {
    const { workers, hosts, reports } = new WorkersHarness(2);
    hosts.started[1]!.becomeReady();
    expect([reports, workers.readyCount, workers.spawns]).toEqual([["ready 1"], 1, 2]);
    hosts.started[0]!.becomeReady();
    expect(await workers.started).toBeUndefined();
    expect(workers.readyCount).toBe(2);
  });

  test("fails when one cannot be loaded, and the others end", async () => {
    const { workers, hosts, reports } = new WorkersHarness(2);
    hosts.started[0]!.becomeReady();
    hosts.started[1]!.exit({ cause: "no weights" });
    await expect(workers.started).rejects.toThrow('model "m" cannot be loaded: no weights');
    expect([hosts.started[0]!.closing, reports]).toEqual([true, ["ready 0"]]);
  });

  test("fails when one is not ready in time; it is told to end by itself, and terminated because all are closed", async () => {
    const { workers, hosts, clock } = new WorkersHarness(1);
    clock.advance(LOAD_TIMEOUT_MS);
    await expect(workers.started).rejects.toThrow("not loaded and warm within 1000 ms (load_timeout_ms)");
    expect([hosts.last.closing, hosts.last.terminated]).toEqual([true, true]);
  });

  test("fails when the workers are closed before", async () => {
    const { workers, hosts } = new WorkersHarness(1);
    const closed = workers.close();
    expect(hosts.last.terminated).toBe(true);
    hosts.last.exit();
    await closed;
    await expect(workers.started).rejects.toThrow("closed before it was ready");
  });
});

describe("replacement", () => {
  test("is immediate for a worker that ends after it has had a call", () => {
    const { workers, hosts, reports } = WorkersHarness.started(1);
    workers.call(0, 5, JOBS);
    hosts.last.exit({ cause: "exit code 3" });
    expect([reports, hosts.started.length, workers.readyCount]).toEqual([["exited 0: exit code 3"], 2, 0]);
    hosts.last.becomeReady();
    expect([reports.at(-1), workers.readyCount]).toEqual(["ready 0", 1]);
  });

  test("has growing delays for a worker that ends without a call, up to a limit", () => {
    const { hosts, clock } = WorkersHarness.started(1);
    for (let delay = FIRST_BACKOFF_MS; ; delay = Math.min(2 * delay, LONGEST_BACKOFF_MS)) {
      const started = hosts.started.length;
      hosts.last.exit();
      clock.advance(delay - 1);
      expect(hosts.started.length).toBe(started);
      clock.advance(1);
      expect(hosts.started.length).toBe(started + 1);
      hosts.last.becomeReady();
      if (delay === LONGEST_BACKOFF_MS) break;
    }
  });

  test("has growing delays after crashes in a row without an answer, and an answer makes it immediate again", () => {
    const { workers, hosts, clock, ...harness } = WorkersHarness.started(1);
    const crash = (): number => {
      const started = hosts.started.length;
      workers.call(0, 1, JOBS);
      hosts.last.exit();
      let waited = 0;
      for (; hosts.started.length === started; waited += FIRST_BACKOFF_MS) clock.advance(FIRST_BACKOFF_MS);
      hosts.last.becomeReady();
      return waited;
    };
    const first = Array.from({ length: CRASHES_AT_ONCE + 3 }, crash);
    expect(first).toEqual([0, 0, 0, 100, 200, 400]);
    expect(harness.reports).not.toContain("none left");
    workers.call(0, 2, JOBS);
    hosts.last.answer();
    expect(Array.from({ length: CRASHES_AT_ONCE + 2 }, crash)).toEqual([0, 0, 0, 0, 100]);
  });

  test("after many crashes in a row: no worker is left, which is reported with the reason, until one is ready", () => {
    const { workers, hosts, clock, ...harness } = WorkersHarness.started(1);
    let crashes = 0;
    for (; !harness.reports.includes("none left"); crashes++) {
      expect([workers.none, crashes < 10]).toEqual([false, true]);
      workers.call(0, 1, JOBS);
      hosts.last.exit();
      if (harness.reports.includes("none left")) break;
      while (hosts.started.length < crashes + 2) clock.advance(FIRST_BACKOFF_MS);
      hosts.last.becomeReady();
    }
    const reason = "its workers end before they answer a call; the log has the cause";
    expect([workers.none, workers.unavailable]).toEqual([true, { cause: "load", reason }]);
    while (hosts.started.length < crashes + 2) clock.advance(FIRST_BACKOFF_MS);
    expect(workers.none).toBe(true);
    hosts.last.becomeReady();
    expect([workers.none, workers.unavailable]).toEqual([false, undefined]);
  });

  test("continues when a replacement cannot be loaded; when none is left, that is reported", () => {
    const { workers, hosts, clock, ...harness } = WorkersHarness.started(2);
    const [first, second] = hosts.started;
    workers.call(0, 1, JOBS);
    first!.exit();
    hosts.last.exit({ cause: "no weights" });
    expect(harness.reports).toEqual(["exited 0: exit code 1", "load failed 0: no weights"]);
    second!.exit();
    expect(harness.reports.splice(0).at(-1)).toBe("exited 1: exit code 1");
    clock.advance(FIRST_BACKOFF_MS);
    hosts.started.at(-2)!.exit({ cause: "no weights" });
    expect(harness.reports.splice(0)).toEqual([expect.stringContaining("no weights")]);
    hosts.last.exit({ cause: "no memory" });
    expect(harness.reports.splice(0)).toContain("none left");
    expect(workers.none).toBe(true);
    expect(workers.unavailable).toEqual({ cause: "load", reason: "no worker can be started; the log has the cause" });
    clock.advance(4 * FIRST_BACKOFF_MS);
    expect(workers.none).toBe(true);
    hosts.last.becomeReady();
    expect([workers.readyCount, workers.none, workers.unavailable]).toEqual([1, false, undefined]);
  });

  test("of a worker during a call is immediate; the old one is told to end by itself, and its end is no exit", () => {
    const { workers, hosts, reports, clock } = WorkersHarness.started(1);
    const [host] = hosts.started;
    let ended = 0;
    workers.call(0, 1, JOBS);
    workers.replace(0, () => ended++);
    expect([host!.closing, host!.terminated, workers.readyCount, ended]).toEqual([true, false, 0, 0]);
    expect([hosts.started.length, workers.abandoned]).toEqual([2, 1]);
    hosts.last.becomeReady();
    host!.answer();
    expect(reports.splice(0)).toEqual(["ready 0"]);
    host!.exit();
    expect([ended, workers.abandoned, hosts.started.length]).toEqual([1, 0, 2]);
    clock.advance(LEAVE_GRACE_MS);
    expect([reports, host!.terminated]).toEqual([[], false]);
  });

  test("of a worker that does not load in time is as for a failure; the old one is told to end by itself", () => {
    const { workers, hosts, clock, reports } = WorkersHarness.started(1);
    hosts.last.exit();
    clock.advance(FIRST_BACKOFF_MS);
    const late = hosts.last;
    clock.advance(LOAD_TIMEOUT_MS);
    expect([late.closing, late.terminated, workers.abandoned]).toEqual([true, false, 1]);
    expect(reports).toContain("load failed 0: it was not loaded and warm within 1000 ms (load_timeout_ms)");
    clock.advance(LONGEST_BACKOFF_MS);
    expect(hosts.started.length).toBe(3);
  });

  test("an abandoned worker that does not end for a long time is terminated", () => {
    const harness = WorkersHarness.started(1);
    const { workers, hosts, reports, clock } = harness;
    const [host] = hosts.started;
    workers.replace(0, () => {});
    hosts.last.becomeReady();
    harness.takeReports();
    clock.advance(LEAVE_GRACE_MS - 1);
    expect([host!.terminated, reports.splice(0)]).toEqual([false, []]);
    clock.advance(1);
    expect([host!.terminated, reports.splice(0)]).toEqual([true, ["stuck 0 of 1"]]);
  });
});

describe("as many abandoned workers as there are workers", () => {
  /** Workers of which each has been abandoned once. */
  function abandonedOnce(count: number): WorkersHarness {
    const harness = WorkersHarness.started(count);
    for (let worker = 0; worker < count; worker++) {
      harness.workers.replace(worker, () => {});
      harness.hosts.last.becomeReady();
    }
    harness.takeReports();
    return harness;
  }

  test("are allowed: the next one is not replaced, and those that can be terminated are", () => {
    const { workers, hosts, clock, reports } = abandonedOnce(2);
    expect([hosts.started.length, workers.abandoned, workers.unavailable]).toEqual([4, 2, undefined]);
    workers.replace(1, () => {});
    expect([hosts.started.length, workers.abandoned]).toEqual([4, 3]);
    expect(hosts.started.map(({ terminated }) => terminated)).toEqual([true, true, false, true]);
    expect([workers.unavailable, workers.none]).toEqual([undefined, false]);
    // One of them ends: its place is taken.
    hosts.started[0]!.exit();
    expect([hosts.started.length, workers.abandoned]).toEqual([5, 2]);
    hosts.last.becomeReady();
    clock.advance(TERMINATE_GRACE_MS);
    expect([reports, workers.readyCount, workers.unavailable]).toEqual([["ready 1"], 2, undefined]);
  });

  test("that do not end when terminated make the model unavailable, though another worker is left", () => {
    const { workers, hosts, clock, reports } = abandonedOnce(2);
    workers.replace(1, () => {});
    clock.advance(TERMINATE_GRACE_MS - 1);
    expect(workers.unavailable).toBeUndefined();
    clock.advance(1);
    const reason = "3 threads do not return from the model, so no more workers are started";
    expect(workers.unavailable).toEqual({ cause: "stuck", reason });
    expect([workers.none, workers.readyCount, reports]).toEqual([false, 1, []]);
    workers.replace(0, () => {});
    clock.advance(TERMINATE_GRACE_MS);
    expect([workers.none, reports.splice(0)]).toEqual([true, ["none left"]]);
    expect([hosts.started.length, workers.abandoned]).toEqual([4, 4]);
  });

  test("no longer matter when enough of them have ended", () => {
    const { workers, hosts, clock } = abandonedOnce(1);
    workers.replace(0, () => {});
    clock.advance(TERMINATE_GRACE_MS);
    expect([workers.none, workers.abandoned, hosts.started.length]).toEqual([true, 2, 2]);
    hosts.started[1]!.exit();
    expect([workers.none, workers.unavailable, hosts.started.length]).toEqual([false, undefined, 3]);
    hosts.last.becomeReady();
    expect(workers.readyCount).toBe(1);
  });

  test("also count while their load does not end", () => {
    const { workers, hosts, clock } = WorkersHarness.started(1);
    hosts.last.exit();
    for (let i = 0; i < 2; i++) {
      clock.advance(LONGEST_BACKOFF_MS);
      clock.advance(LOAD_TIMEOUT_MS);
    }
    clock.advance(LONGEST_BACKOFF_MS + TERMINATE_GRACE_MS);
    expect([workers.abandoned, workers.unavailable?.cause, hosts.started.length]).toEqual([2, "stuck", 3]);
  });
});

test("lanes are forgotten by all workers", () => {
  const { workers, hosts } = WorkersHarness.started(2);
  workers.forget(7);
  expect(hosts.started.map(({ forgotten }) => forgotten)).toEqual([[7], [7]]);
});

describe("closing", () => {
  test("lets idle and busy workers end by themselves, then terminates them, and waits for all", async () => {
    const { workers, hosts, clock, reports } = WorkersHarness.started(2);
    workers.call(1, 1, JOBS);
    const closed = workers.close();
    const states = hosts.started.map(({ closing, terminated }) => [closing, terminated]);
    expect(states).toEqual(Array(2).fill([true, false]));
    hosts.started[1]!.exit();
    clock.advance(CLOSE_GRACE_MS);
    expect(hosts.started[0]!.terminated).toBe(true);
    hosts.started[0]!.exit();
    await closed;
    expect([hosts.started.length, clock.pending]).toEqual([2, 0]);
    expect(reports).toEqual(["exited 1: exit code 1", "exited 0: exit code 1"]);
  });

  test("does not wait for ever for a stuck worker", async () => {
    const { workers, clock } = WorkersHarness.started(1);
    const closed = workers.close();
    clock.advance(CLOSE_GRACE_MS + TERMINATE_GRACE_MS);
    await closed;
    await workers.close();
  });

  test("terminates abandoned workers at once, waits for them for a short time, and reports nothing of them", async () => {
    const { workers, hosts, clock, reports } = WorkersHarness.started(1);
    workers.replace(0, () => {});
    const [abandoned, current] = hosts.started;
    const closed = workers.close();
    expect([abandoned!.terminated, current!.terminated]).toEqual([true, true]);
    current!.exit();
    clock.advance(TERMINATE_GRACE_MS);
    await closed;
    clock.advance(LEAVE_GRACE_MS);
    expect(reports).toEqual([]);
  });

  test("starts no replacement", () => {
    const { workers, hosts, clock } = WorkersHarness.started(1);
    hosts.last.exit();
    void workers.close();
    clock.advance(LONGEST_BACKOFF_MS);
    expect(hosts.started.length).toBe(1);
  });
});
