import { cpus } from "node:os";

import { memoryUsage } from "../../lib/memory-usage.ts";
import type { Logger } from "../log/log.ts";
import { RateLimitedLog } from "../log/rate-limited-log.ts";
import { CapacityEstimator, type CarriedStreams, RESOURCES } from "./capacity-estimator.ts";
import type { Histogram } from "./histogram.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import { type Turn, TurnMeter } from "./turn-meter.ts";
import { threadCpuSeconds, totalUsage, type Usage, usageBetween } from "./usage.ts";

/** Period of the timer whose delay is measured. A shorter one would cost an idle machine more by waking it. */
const TICK_MS = 100;
/** Shortest period of which the resource usage is taken. */
const USAGE_SECONDS = 2;
/** A longer turn delays all other sessions noticeably. */
const BLOCKED_MS = 50;
/** Blockages are logged at most this often; every one is counted. */
const LOG_INTERVAL_MS = 10_000;

/** The stage of a blockage in which the operating system let the main thread wait for a processor, or stopped it. */
export const PREEMPTED = "preempted";

export interface RuntimeMonitorOptions {
  readonly metrics: ServerMetrics;
  readonly log: Logger;
  /** Returns the most sessions that may be open. */
  readonly maxSessions: () => number;
  /** Returns the streams that each resource could carry, as admission reckons with them. Default: not known. */
  readonly carried?: () => CarriedStreams;
  /** Returns milliseconds, monotonic. Default: `performance.now`. */
  readonly now?: () => number;
  /** Returns the processor time of the main thread in seconds. Default: that of the calling thread. */
  readonly cpuSeconds?: () => number;
  /** Runs a task at the end of a turn of the event loop. Default: `setImmediate`. */
  readonly defer?: (task: () => void) => void;
}

/**
 * Measures the runtime of a server: delay, utilisation and blockages of the event loop, the heap, and the capacity in
 * streams.
 */
export class RuntimeMonitor implements Disposable {
  readonly #options: RuntimeMonitorOptions;
  readonly #estimator = new CapacityEstimator();
  readonly #delay: Histogram;
  readonly #turnWait: Histogram;
  /** By stage. */
  readonly #turnSeconds = new Map<string, Histogram>();
  readonly #collector: Disposable;
  readonly #log: RateLimitedLog;
  readonly #now: () => number;
  readonly #cpuSeconds: () => number;
  #timer: Timer;
  /** When the next tick should run, milliseconds. */
  #due: number;
  /** Processor time of the main thread at the last tick. */
  #cpuBefore: number;
  /** Totals at the last update. */
  #usage: Usage;
  #utilization = 0;
  #blockedAt = -Infinity;

  constructor(options: RuntimeMonitorOptions) {
    this.#options = options;
    const { metrics, log, now = () => performance.now(), cpuSeconds = threadCpuSeconds } = options;
    this.#now = now;
    this.#cpuSeconds = cpuSeconds;
    this.#cpuBefore = cpuSeconds();
    this.#log = new RateLimitedLog(log, { now }, LOG_INTERVAL_MS);
    this.#delay = metrics.families.runtime.loopDelay.with({});
    this.#turnWait = metrics.families.runtime.turnWaitSeconds.with({});
    this.#usage = totalUsage(metrics);
    this.#due = now() + TICK_MS;
    this.#timer = this.#schedule();
    this.#collector = metrics.registry.onCollect(() => this.#collect());
    metrics.mainThread.turns = new TurnMeter({
      now,
      cpuSeconds,
      onTurn: (turn) => this.#countTurn(turn),
      ...(options.defer !== undefined && { defer: options.defer }),
    });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#collector[Symbol.dispose]();
    this.#options.metrics.mainThread.turns = undefined;
  }

  #schedule(): Timer {
    return setTimeout(() => this.#tick(), TICK_MS).unref();
  }

  #tick(): void {
    const now = this.#now();
    const delay = Math.max(0, now - this.#due);
    this.#delay.observe(delay / 1000);
    const cpu = this.#cpuSeconds();
    // Blockages by turns with measured stages have been counted; a late tick shows the others.
    if (delay > BLOCKED_MS && this.#blockedAt < this.#due - TICK_MS) {
      this.#countBlocked({ stage: "other", ms: delay, cpuMs: Math.min(delay, (cpu - this.#cpuBefore) * 1000) });
    }
    if (now / 1000 - this.#usage.wall >= USAGE_SECONDS) this.#updateUsage();
    this.#cpuBefore = cpu;
    this.#due = this.#now() + TICK_MS;
    this.#timer = this.#schedule();
  }

  #countTurn(turn: Turn): void {
    let seconds = this.#turnSeconds.get(turn.stage);
    if (seconds === undefined) {
      seconds = this.#options.metrics.families.runtime.turnSeconds.with({ stage: turn.stage });
      this.#turnSeconds.set(turn.stage, seconds);
    }
    seconds.observe(turn.cpuMs / 1000);
    this.#turnWait.observe((turn.ms - turn.cpuMs) / 1000);
    if (turn.ms > BLOCKED_MS) this.#countBlocked(turn);
  }

  /** Counts a blockage. If its processor time is short, the main thread waited for a processor: no fault of ours. */
  #countBlocked({ stage, last, ms, cpuMs }: { stage: string; last?: string; ms: number; cpuMs: number }): void {
    const { blocked, blockedSeconds } = this.#options.metrics.families.runtime;
    this.#blockedAt = this.#now();
    const cause = cpuMs > BLOCKED_MS ? stage : PREEMPTED;
    blocked.with({ stage: cause }).add();
    blockedSeconds.with({ stage: cause }).add(ms / 1000);
    if (cause === PREEMPTED) return;
    this.#log.warn("event_loop_blocked", { stage, ms: Math.round(ms), cpu_ms: Math.round(cpuMs), last });
  }

  #updateUsage(): void {
    const before = this.#usage;
    this.#usage = totalUsage(this.#options.metrics);
    const period = usageBetween(before, this.#usage);
    this.#utilization = Math.min(1, period.mainThread / period.wall);
    this.#estimator.add(period);
  }

  #collect(): void {
    const { metrics, maxSessions, carried } = this.#options;
    const { runtime, server } = metrics.families;
    runtime.mainThreadCpu.with({}).value = threadCpuSeconds();
    runtime.loopUtilization.with({}).set(this.#utilization);
    // heapStats() of bun:jsc counts every object, which takes milliseconds (Bun 1.4.5).
    const { heapUsed, heapTotal, external } = memoryUsage();
    runtime.heap.with({ kind: "used" }).set(heapUsed);
    runtime.heap.with({ kind: "capacity" }).set(heapTotal);
    runtime.heap.with({ kind: "external" }).set(external);
    const streams = { ...carried?.(), processor: this.#estimator.estimate(cpus().length), sessions: maxSessions() };
    for (const resource of RESOURCES) server.capacity.with({ resource }).set(streams[resource] ?? NaN);
  }
}
