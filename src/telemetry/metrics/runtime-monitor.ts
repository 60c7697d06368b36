import { cpus } from "node:os";

import type { Logger } from "../log/log.ts";
import { Capacity, type Resource } from "./capacity.ts";
import type { Histogram } from "./histogram.ts";
import { BLOCKED_MS } from "./main-thread-timer.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** Period of the timer whose delay is measured. A shorter one would cost an idle machine more by waking it. */
const TICK_MS = 100;
/** Period of the resource accounting. */
const ACCOUNT_MS = 2_000;
/** Blockages are logged at most this often; every one is counted. */
const LOG_INTERVAL_MS = 1_000;

const RESOURCES: readonly Resource[] = ["event_loop", "processor", "workers"];

export interface RuntimeMonitorOptions {
  readonly metrics: ServerMetrics;
  readonly log: Logger;
  /** Worker threads of all models. */
  readonly workers: number;
  /** Sessions that the configuration allows. */
  readonly maxSessions: number;
}

/** Totals since the start of the process, in seconds unless stated otherwise. */
interface Account {
  /** Monotonic time in milliseconds. */
  readonly at: number;
  readonly mainThread: number;
  readonly processor: number;
  readonly workers: number;
  readonly audio: number;
}

/** Measures the run-time of a server: delay, utilisation and blockages of the event loop, the heap, and the capacity in streams. */
export class RuntimeMonitor implements Disposable {
  readonly #options: RuntimeMonitorOptions;
  readonly #capacity = new Capacity();
  readonly #delay: Histogram;
  readonly #collector: Disposable;
  #timer: Timer;
  #due: number;
  #account: Account;
  #utilization = 0;
  #blockedAt = -Infinity;
  #loggedAt = -Infinity;

  constructor(options: RuntimeMonitorOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#delay = metrics.families.runtime.loopDelay.with({});
    this.#account = this.#readAccount();
    this.#due = performance.now() + TICK_MS;
    this.#timer = this.#schedule();
    this.#collector = metrics.registry.onCollect(() => this.#collect());
    metrics.mainThread.onBlocked = (stage, ms) => this.#countBlocked(stage, ms);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#collector[Symbol.dispose]();
  }

  #schedule(): Timer {
    return setTimeout(() => this.#tick(), TICK_MS).unref();
  }

  #tick(): void {
    const now = performance.now();
    const delay = Math.max(0, now - this.#due);
    this.#delay.observe(delay / 1000);
    // Blockages within a measured stage have been counted by the main-thread timer; a late tick shows the others.
    if (delay > BLOCKED_MS && this.#blockedAt < this.#due - TICK_MS) this.#countBlocked("other", delay);
    if (now - this.#account.at >= ACCOUNT_MS) this.#updateAccount();
    this.#due = performance.now() + TICK_MS;
    this.#timer = this.#schedule();
  }

  #countBlocked(stage: string, ms: number): void {
    const now = performance.now();
    const { metrics, log } = this.#options;
    const { blocked, blockedSeconds } = metrics.families.runtime;
    this.#blockedAt = now;
    blocked.with({ stage }).add();
    blockedSeconds.with({ stage }).add(ms / 1000);
    if (now - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    log.warn("event_loop_blocked", { stage, ms: Math.round(ms), last: metrics.mainThread.lastStage });
  }

  #updateAccount(): void {
    const before = this.#account;
    const after = this.#readAccount();
    this.#account = after;
    const wall = (after.at - before.at) / 1000;
    const mainThread = after.mainThread - before.mainThread;
    this.#utilization = Math.min(1, mainThread / wall);
    this.#capacity.add({
      wall,
      mainThread,
      processor: after.processor - before.processor,
      workers: after.workers - before.workers,
      audio: after.audio - before.audio,
    });
  }

  #readAccount(): Account {
    const { mainThread, families } = this.#options.metrics;
    const { user, system } = process.cpuUsage();
    let workers = 0;
    for (const histogram of families.inference.computeSeconds.instruments()) workers += histogram.sum;
    return {
      at: performance.now(),
      mainThread: mainThreadSeconds(),
      processor: (user + system) / 1e6,
      workers,
      audio: mainThread.decodedSeconds,
    };
  }

  #collect(): void {
    const { metrics, workers, maxSessions } = this.#options;
    const { runtime, server } = metrics.families;
    runtime.mainThreadCpu.with({}).value = mainThreadSeconds();
    runtime.loopUtilization.with({}).set(this.#utilization);
    // heapStats() of bun:jsc counts every object, which takes milliseconds (Bun 1.4.5).
    const { heapUsed, heapTotal, external } = process.memoryUsage();
    runtime.heap.with({ kind: "used" }).set(heapUsed);
    runtime.heap.with({ kind: "capacity" }).set(heapTotal);
    runtime.heap.with({ kind: "external" }).set(external);
    const estimates = this.#capacity.estimate({ processors: cpus().length, workers });
    server.capacity.with({ resource: "sessions" }).set(maxSessions);
    for (const resource of RESOURCES) server.capacity.with({ resource }).set(estimates?.get(resource) ?? NaN);
  }
}

/** Returns the processor seconds of the calling thread. */
function mainThreadSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
