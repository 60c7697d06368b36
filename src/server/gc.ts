import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

const MIB = 1024 * 1024;
/** What a request leaves behind: most are about a stream, which is made of many small things. */
const REQUEST_BYTES = 8 * 1024;
/** What is young is collected in the background after so many bytes of messages, but not more often than this. */
const YOUNG = { bytes: 16 * MIB, everyMs: 50 };
/** Everything is looked through, which stops the thread for some milliseconds, after so many, but not more often than this. */
const ALL = { bytes: 512 * MIB, everyMs: 10_000 };

/**
 * Keeps the memory of messages that have been dealt with from piling up. The collector paces itself by what is alive, the whole arena
 * included, and so lets hundreds of MiB of messages, and of small things that were in use when it looked at the young, gather
 * before it looks at all (Bun 1.4.5); this asks it to by what has come in.
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

  /** Counts a message that has been received. */
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
