import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

const MIB = 1024 * 1024;
/** Garbage that a request leaves behind: most requests are about a stream, which consists of many small objects. */
const REQUEST_BYTES = 8 * 1024;
/**
 * After so many bytes of messages the young generation is collected, in the background, but not more often than this.
 */
const YOUNG = { bytes: 16 * MIB, everyMs: 50 };
/**
 * After so many, everything is collected, which stops the thread for some milliseconds, but not more often than this.
 */
const ALL = { bytes: 512 * MIB, everyMs: 10_000 };

/**
 * Requests garbage collections by the bytes that have been received. Bun 1.4.5 paces its collector by the live heap,
 * the whole arena included, and would let hundreds of MiB of handled messages pile up.
 */
export class GarbageCollector {
  readonly #metrics: ServerMetrics;
  readonly #clock: () => number;
  readonly #young = { bytes: 0, at: 0 };
  readonly #all = { bytes: 0, at: 0 };

  constructor(metrics: ServerMetrics, clock: () => number) {
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** Counts a message that has been handled, and collects when it is time. */
  add(message: string | Uint8Array): void {
    this.#young.bytes += typeof message === "string" ? REQUEST_BYTES : message.length;
    if (this.#young.bytes < YOUNG.bytes) return;
    const now = this.#clock();
    if (now - this.#young.at < YOUNG.everyMs) return;
    this.#all.bytes += this.#young.bytes;
    const complete = this.#all.bytes >= ALL.bytes && now - this.#all.at >= ALL.everyMs;
    Object.assign(this.#young, { bytes: 0, at: now });
    if (complete) Object.assign(this.#all, { bytes: 0, at: now });
    const { mainThread, families } = this.#metrics;
    families.runtime.collections.with({ kind: complete ? "all" : "young" }).add();
    const outer = mainThread.enter("collect");
    Bun.gc(complete);
    mainThread.leave(outer);
  }
}
