import type { Outcome } from "../model/job.ts";
import type { Answer } from "../worker/messages.ts";
import type { RateLimitedLog } from "./rate-limited-log.ts";

type Settle = (outcome: Outcome) => void;

/** Tells those who submitted work what became of it. One session's fault is not another's: a throw is logged and goes no further. */
export class Outcomes {
  readonly #log: RateLimitedLog;
  #waiting: [Settle, Outcome][] = [];

  constructor(log: RateLimitedLog) {
    this.#log = log;
  }

  /** Tells it when `flush` is called, since the teller is being called by the one to be told. */
  later(settle: Settle, outcome: Outcome): void {
    this.#waiting.push([settle, outcome]);
  }

  flush(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    for (const [settle, outcome] of waiting) this.now(settle, outcome);
  }

  now(settle: Settle, outcome: Outcome): void {
    try {
      settle(outcome);
    } catch (error) {
      this.#log.warn("settle_threw", { error: String(error), stack: error instanceof Error ? error.stack : undefined });
    }
  }
}

/** What a worker's answer means to who asked. */
export function outcomeOf(
  { error, output, outputJson, audio, state }: Answer,
  facts: { queueMs: number; inferMs: number; worker: number; batchSize: number },
): Outcome {
  if (error !== undefined) {
    const { queueMs, inferMs } = facts;
    return { status: "failed", code: "inference_failed", message: error, queueMs, inferMs };
  }
  return {
    status: "ok",
    output: outputJson === undefined ? output : (JSON.parse(outputJson) as Record<string, unknown>),
    ...(audio && { audio }),
    ...(state !== undefined && { state }),
    ...facts,
  };
}
