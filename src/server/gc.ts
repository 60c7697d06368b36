import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

const MIB = 1024 * 1024;
/** Garbage that a request leaves behind: most requests are about a stream, which consists of many small objects. */
const REQUEST_BYTES = 8 * 1024;
/** After so many bytes of messages the young generation is collected, but not more often than this. */
const YOUNG = { bytes: 16 * MIB, everyMs: 50 };
/**
 * Everything is collected when no stream has been open for so long, not more often than this, if streams or so many
 * bytes have come since the last time.
 */
const ALL = { quietMs: 2_000, everyMs: 30_000, bytes: 16 * MIB };

/**
 * Requests garbage collections. The young generation is collected by the bytes that have been received, which costs
 * less than a millisecond and keeps resident memory lower than Bun 1.4.5 does by itself. Everything is collected, which
 * stops the thread for longer, only while no stream is open.
 */
export class GarbageCollector {
  readonly #metrics: ServerMetrics;
  readonly #clock: () => number;
  #youngBytes = 0;
  #youngAt = -Infinity;
  /** Bytes received since everything was collected, and whether a stream has been open. */
  #bytes = 0;
  #hadStreams = false;
  #allAt = -Infinity;
  /** When no stream was open for the first time; undefined: one is. */
  #quietSince: number | undefined;

  constructor(metrics: ServerMetrics, clock: () => number) {
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** Counts a message that has been handled, and collects the young generation when it is time. */
  add(message: string | Uint8Array): void {
    this.#youngBytes += typeof message === "string" ? REQUEST_BYTES : message.length;
    if (this.#youngBytes < YOUNG.bytes) return;
    const now = this.#clock();
    if (now - this.#youngAt < YOUNG.everyMs) return;
    this.#bytes += this.#youngBytes;
    this.#youngBytes = 0;
    this.#youngAt = now;
    this.#collect("young");
  }

  /** Collects everything when it is time. To be called a few times a second. @param streams that are open */
  check(now: number, streams: number): void {
    if (streams > 0) {
      this.#hadStreams = true;
      this.#quietSince = undefined;
      return;
    }
    this.#quietSince ??= now;
    if (now - this.#quietSince < ALL.quietMs || now - this.#allAt < ALL.everyMs) return;
    if (!this.#hadStreams && this.#bytes + this.#youngBytes < ALL.bytes) return;
    this.#hadStreams = false;
    this.#bytes = 0;
    this.#youngBytes = 0;
    this.#allAt = now;
    this.#collect("all");
  }

  #collect(kind: "young" | "all"): void {
    const { mainThread, families } = this.#metrics;
    families.runtime.collections.with({ kind }).add();
    const outer = mainThread.enter("collect");
    Bun.gc(kind === "all");
    mainThread.leave(outer);
  }
}
