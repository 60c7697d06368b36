import type { Logger } from "../../telemetry/log/log.ts";
import type { ProcessTotals } from "./process-totals.ts";
import type { ServerChild } from "./server-child.ts";

/** Interval between two questions to a process, and longest time for an answer. */
const ASK_MS = 1_000;
/** Questions without an answer after which a process is killed: its main thread hangs, and so do its streams. */
const MAX_UNANSWERED = 30;
/** Questions for life between two for all metrics, which stay when a process is killed. */
const ASKS_PER_METRICS = 10;

export interface ProcessWatchOptions {
  readonly children: ReadonlySet<ServerChild>;
  readonly log: Logger;
  readonly totals: ProcessTotals;
}

/** Asks all processes for a sign of life, and kills one that gives none any more. */
export class ProcessWatch implements Disposable {
  readonly #options: ProcessWatchOptions;
  readonly #timer: Timer;
  #asks = 0;

  constructor(options: ProcessWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#askAll(), ASK_MS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #askAll(): void {
    const withMetrics = ++this.#asks % ASKS_PER_METRICS === 0;
    for (const child of this.#options.children) {
      void this.#ask(child);
      if (withMetrics) void child.refreshMetrics(ASK_MS);
    }
  }

  async #ask(child: ServerChild): Promise<void> {
    const health = await child.ask("health", ASK_MS);
    if (child.state === "ended") return;
    if (health !== undefined) {
      child.health = health;
      child.unanswered = 0;
    } else if (++child.unanswered === MAX_UNANSWERED) {
      child.unresponsive = true;
      const seconds = (MAX_UNANSWERED * ASK_MS) / 1000;
      this.#options.log.error("process_unresponsive", { process: child.number, pid: child.pid, seconds });
      child.kill();
    }
  }
}
