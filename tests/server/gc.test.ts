import { expect, test } from "bun:test";

import { GarbageCollector } from "../../src/server/gc.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";

const MIB = 2 ** 20;

/** A collector with a clock, and what it has requested. */
function harness() {
  const metrics = new ServerMetrics();
  const time = { now: 0 };
  const collector = new GarbageCollector(metrics, () => time.now);
  const requested = () => {
    const { collections } = metrics.families.runtime;
    return [collections.with({ kind: "young" }).value, collections.with({ kind: "all" }).value];
  };
  /** Seconds pass with so many open streams. */
  const pass = (seconds: number, streams: number): void => {
    for (const end = time.now + seconds * 1000; time.now < end;) {
      time.now += 500;
      collector.check(time.now, streams);
    }
  };
  return { collector, time, requested, pass };
}

test("while a stream is open, the young generation is collected by the bytes received, and never everything", () => {
  const { collector, requested, pass } = harness();
  const message = new Uint8Array(MIB);
  for (let second = 1; second <= 600; second++) {
    for (let i = 0; i < 32; i++) collector.add(message);
    pass(1, 1);
  }
  expect(requested()).toEqual([600, 0]);
});

test("everything is collected when no stream has been open for 2 s", () => {
  const { requested, pass } = harness();
  pass(5, 3);
  pass(1.5, 0);
  expect(requested()).toEqual([0, 0]);
  pass(1, 1);
  pass(2, 0);
  expect(requested()).toEqual([0, 0]);
  pass(0.5, 0);
  expect(requested()).toEqual([0, 1]);
});

test("an idle server is not collected again, and a busy one at most every 30 s", () => {
  const { requested, pass } = harness();
  pass(1_000, 0);
  expect(requested()).toEqual([0, 0]);
  for (let round = 0; round < 30; round++) {
    pass(1, 1);
    pass(5, 0);
  }
  expect(requested()[1]).toBe(6);
  pass(30, 0);
  const collected = requested()[1];
  pass(1_000, 0);
  expect(requested()[1]).toBe(collected);
});

test("requests without streams count for garbage too", () => {
  const { collector, requested, pass } = harness();
  for (let i = 0; i < 2_047; i++) collector.add("{}");
  pass(60, 0);
  expect(requested()).toEqual([0, 0]);
  collector.add("{}");
  pass(60, 0);
  expect(requested()[1]).toBe(1);
});
