import { describe, expect, test } from "bun:test";

import type { LaneJob } from "../../src/pool/worker-host.ts";
import {
  CLOSE_GRACE_MS,
  FIRST_BACKOFF_MS,
  LONGEST_BACKOFF_MS,
  TERMINATE_GRACE_MS,
} from "../../src/pool/worker-slot.ts";
import { Workers } from "../../src/pool/workers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { ScriptedHosts } from "../support/scripted-host.ts";

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
      startHost: (spawn, events) => this.hosts.start({ spawn } as never, events),
      loadTimeoutMs: LOAD_TIMEOUT_MS,
      clock: this.clock,
      events: {
        ready: (worker) => this.reports.push(`ready ${worker}`),
        done: (worker, { call }) => this.reports.push(`done ${worker} ${call}`),
        exited: (worker, { cause }) => this.reports.push(`exited ${worker}: ${cause}`),
        loadFailed: (worker, { cause }) => this.reports.push(`load failed ${worker}: ${cause}`),
        allFailed: () => this.reports.push("all failed"),
        stuck: (worker, leaving) => this.reports.push(`stuck ${worker} of ${leaving}`),
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

  test("fails when one is not ready in time", async () => {
    const { workers, hosts, clock } = new WorkersHarness(1);
    clock.advance(LOAD_TIMEOUT_MS);
    await expect(workers.started).rejects.toThrow("not loaded and warm within 1000 ms (load_timeout_ms)");
    expect(hosts.last.terminated).toBe(true);
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

  test("continues when a replacement cannot be loaded; when all fail, that is reported", () => {
    const { workers, hosts, clock, ...harness } = WorkersHarness.started(2);
    const [first, second] = hosts.started;
    workers.call(0, 1, JOBS);
    first!.exit();
    hosts.last.exit({ cause: "no weights" });
    expect(harness.reports).toEqual(["exited 0: exit code 1", "load failed 0: no weights"]);
    second!.exit();
    expect(harness.reports.splice(0).at(-1)).toBe("exited 1: exit code 1");
    clock.advance(FIRST_BACKOFF_MS);
    hosts.started.at(-2)!.exit({ cause: "no memory" });
    expect(harness.reports.splice(0)).toContain("all failed");
    hosts.last.becomeReady();
    expect(workers.readyCount).toBe(1);
  });

  test("of a worker during a call waits for its end, which is not reported as an exit", () => {
    const { workers, hosts, reports, clock } = WorkersHarness.started(1);
    const [host] = hosts.started;
    let ended = 0;
    workers.call(0, 1, JOBS);
    workers.replace(0, () => ended++);
    expect([host!.terminated, workers.readyCount, ended]).toEqual([true, 0, 0]);
    host!.answer();
    expect(reports).toEqual([]);
    host!.exit();
    expect([ended, hosts.started.length, reports]).toEqual([1, 2, []]);
    hosts.last.becomeReady();
    clock.advance(TERMINATE_GRACE_MS);
    expect(reports).toEqual(["ready 0"]);
  });

  test("does not wait for a worker that is stuck, but no more are stuck than there are workers", () => {
    const { workers, hosts, reports, clock } = WorkersHarness.started(1);
    const [host] = hosts.started;
    let ended = 0;
    workers.replace(0, () => ended++);
    clock.advance(TERMINATE_GRACE_MS);
    expect([reports.splice(0), hosts.started.length]).toEqual([["stuck 0 of 1"], 2]);
    hosts.last.becomeReady();
    workers.replace(0, () => ended++);
    clock.advance(TERMINATE_GRACE_MS);
    expect([reports.splice(0), hosts.started.length]).toEqual([["ready 0", "stuck 0 of 2"], 2]);
    host!.exit();
    expect([ended, hosts.started.length]).toEqual([1, 3]);
  });
});

test("lanes are forgotten by all workers", () => {
  const { workers, hosts } = WorkersHarness.started(2);
  workers.forget(7);
  expect(hosts.started.map(({ forgotten }) => forgotten)).toEqual([[7], [7]]);
});

describe("closing", () => {
  test("lets idle workers close their model, terminates busy ones, and waits for all", async () => {
    const { workers, hosts, clock, reports } = WorkersHarness.started(2);
    workers.call(1, 1, JOBS);
    const closed = workers.close();
    expect(hosts.started.map(({ closing, terminated }) => [closing, terminated])).toEqual([
      [true, false],
      [false, true],
    ]);
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

  test("starts no replacement", () => {
    const { workers, hosts, clock } = WorkersHarness.started(1);
    hosts.last.exit();
    void workers.close();
    clock.advance(LONGEST_BACKOFF_MS);
    expect(hosts.started.length).toBe(1);
  });
});
