import { cpus } from "node:os";

import type { Logger } from "../log/log.ts";
import { Capacity, type Resource } from "./capacity.ts";
import { BLOCKED_MS } from "./main-thread.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/** How often it is looked whether a timer comes in time. Waking for it costs an idle machine more than looking. */
const TICK_MS = 100;
/** How often what was used is added up. */
const ACCOUNT_MS = 2_000;
/** What blocks the main thread is logged so often at most; it is counted always. */
const LOG_EVERY_MS = 1_000;

const RESOURCES: readonly Resource[] = ["event_loop", "processor", "workers"];

export interface RuntimeOptions {
  readonly metrics: ServerMetrics;
  readonly log: Logger;
  /** Worker threads of all models. */
  readonly workers: number;
  /** Sessions that the configuration allows. */
  readonly maxSessions: number;
}

/** The health of the run-time under a server: delay, utilisation and blockages of the event loop, the heap, and what the machine would carry. */
export class RuntimeHealth implements Disposable {
  readonly #options: RuntimeOptions;
  readonly #capacity = new Capacity();
  readonly #delay;
  readonly #collector: Disposable;
  #timer: Timer;
  #due: number;
  /** Seconds at the last account. */
  #account: Account;
  #utilization = 0;
  #blockedAt = -Infinity;
  #loggedAt = -Infinity;

  constructor(options: RuntimeOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#delay = metrics.all.loopDelay.with({});
    this.#account = this.#read();
    this.#due = performance.now() + TICK_MS;
    this.#timer = this.#schedule();
    this.#collector = metrics.all.onCollect(() => this.#collect());
    metrics.thread.onBlocked = (activity, ms) => this.#blocked(activity, ms);
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
    const late = Math.max(0, now - this.#due);
    this.#delay.observe(late / 1000);
    // What was measured to block is known already; what was not shows here.
    if (late > BLOCKED_MS && this.#blockedAt < this.#due - TICK_MS) this.#blocked("other", late);
    if (now - this.#account.at >= ACCOUNT_MS) this.#addUp();
    this.#due = performance.now() + TICK_MS;
    this.#timer = this.#schedule();
  }

  #blocked(stage: string, ms: number): void {
    const now = performance.now();
    const { metrics, log } = this.#options;
    this.#blockedAt = now;
    metrics.all.blocked.with({ stage }).add();
    metrics.all.blockedSeconds.with({ stage }).add(ms / 1000);
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#loggedAt = now;
    log.warn("event_loop_blocked", { stage, ms: Math.round(ms), last: metrics.thread.last });
  }

  #addUp(): void {
    const before = this.#account;
    const after = this.#read();
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

  #read(): Account {
    const { thread, all } = this.#options.metrics;
    const { user, system } = process.cpuUsage();
    let workers = 0;
    for (const histogram of all.computeSeconds.each()) workers += histogram.sum;
    return {
      at: performance.now(),
      mainThread: mainThreadSeconds(),
      processor: (user + system) / 1e6,
      workers,
      audio: thread.streamSeconds,
    };
  }

  #collect(): void {
    const { metrics, workers, maxSessions } = this.#options;
    const { all } = metrics;
    all.mainThreadCpu.with({}).value = mainThreadSeconds();
    all.loopUtilization.with({}).set(this.#utilization);
    // Not heapStats() of bun:jsc, which counts every object: milliseconds (Bun 1.4.5).
    const { heapUsed, heapTotal, external } = process.memoryUsage();
    all.heap.with({ kind: "used" }).set(heapUsed);
    all.heap.with({ kind: "capacity" }).set(heapTotal);
    all.heap.with({ kind: "external" }).set(external);
    const estimates = this.#capacity.estimate({ processors: cpus().length, workers });
    all.capacity.with({ resource: "sessions" }).set(maxSessions);
    for (const resource of RESOURCES) all.capacity.with({ resource }).set(estimates?.get(resource) ?? NaN);
  }
}

interface Account {
  /** Milliseconds. */
  readonly at: number;
  readonly mainThread: number;
  readonly processor: number;
  readonly workers: number;
  readonly audio: number;
}

/** Processor seconds of the thread that asks. */
function mainThreadSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
