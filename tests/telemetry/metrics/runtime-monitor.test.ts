import { describe, expect, test } from "bun:test";

import type { CarriedStreams } from "../../../src/telemetry/metrics/capacity-estimator.ts";
import { RuntimeMonitor } from "../../../src/telemetry/metrics/runtime-monitor.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";

function start() {
  let now = 0;
  let cpuMs = 0;
  let endOfTurn = (): void => {};
  const metrics = new ServerMetrics(() => now);
  const warnings: [string, unknown][] = [];
  const ignore = (): void => {};
  const log = {
    debug: ignore,
    info: ignore,
    warn: (event: string, fields?: unknown) => void warnings.push([event, fields]),
    error: ignore,
    with: () => log,
  };
  const carried: CarriedStreams = {};
  const monitor = new RuntimeMonitor({
    metrics,
    log,
    maxSessions: () => 7,
    carried: () => carried,
    now: () => now,
    cpuSeconds: () => cpuMs / 1000,
    defer: (task) => void (endOfTurn = task),
  });
  /** Holds up the main thread with one turn. `cpu` is the processor time that it takes. */
  const block = (ms: number, cpu = ms): void => {
    const outer = metrics.mainThread.enter("sweep");
    now += ms;
    cpuMs += cpu;
    metrics.mainThread.leave(outer);
    endOfTurn();
  };
  const pass = (ms: number): void => void (now += ms);
  return { metrics, warnings, block, pass, [Symbol.dispose]: () => monitor[Symbol.dispose]() };
}

describe("the runtime monitor", () => {
  test("counts every blockage by stage and logs the first", () => {
    using it = start();
    for (const ms of [60, 70, 20]) it.block(ms);
    const { blocked, blockedSeconds } = it.metrics.families.runtime;
    expect(blocked.with({ stage: "sweep" }).value).toBe(2);
    expect(blockedSeconds.with({ stage: "sweep" }).value).toBeCloseTo(0.13);
    expect(it.warnings[0]).toEqual(["event_loop_blocked", { stage: "sweep", ms: 60, cpu_ms: 60, last: "sweep" }]);
  });

  test("logs one blockage in ten seconds, with the number of those left out", () => {
    using it = start();
    for (let n = 0; n < 5; n++) it.block(60);
    it.pass(10_000);
    it.block(80);
    expect(it.warnings.map(([, fields]) => fields)).toEqual([
      { stage: "sweep", ms: 60, cpu_ms: 60, last: "sweep" },
      { stage: "sweep", ms: 80, cpu_ms: 80, last: "sweep", left_out: 4 },
    ]);
  });

  test("counts time without a processor as preempted, and does not log it", () => {
    using it = start();
    it.block(300, 5);
    const { blocked, blockedSeconds, turnSeconds, turnWaitSeconds } = it.metrics.families.runtime;
    expect(blocked.with({ stage: "preempted" }).value).toBe(1);
    expect(blockedSeconds.with({ stage: "preempted" }).value).toBeCloseTo(0.3);
    expect(blocked.with({ stage: "sweep" }).value).toBe(0);
    expect(turnSeconds.with({ stage: "sweep" }).sum).toBeCloseTo(0.005);
    expect(turnWaitSeconds.with({}).sum).toBeCloseTo(0.295);
    expect(it.warnings).toEqual([]);
    it.block(300, 120);
    expect(it.warnings).toEqual([["event_loop_blocked", { stage: "sweep", ms: 300, cpu_ms: 120, last: "sweep" }]]);
  });

  test("reads processor time, heap and capacity when the metrics are read", () => {
    using it = start();
    it.metrics.registry.collect();
    const { runtime, server } = it.metrics.families;
    expect(runtime.mainThreadCpu.with({}).value).toBeGreaterThan(0);
    expect(runtime.heap.with({ kind: "used" }).value).toBeGreaterThan(0);
    expect(server.capacity.with({ resource: "sessions" }).value).toBe(7);
    // No audio has been processed, so there is no estimate yet.
    for (const resource of ["event_loop", "processor", "workers", "memory"]) {
      expect(server.capacity.with({ resource }).value).toBeNaN();
    }
  });

  test("no longer reads anything after its disposal", () => {
    const it = start();
    it[Symbol.dispose]();
    it.metrics.registry.collect();
    expect(it.metrics.families.server.capacity.samples()).toEqual([]);
  });
});
