import type { ModelInfo } from "../model/model-info.ts";

type Rules = Pick<ModelInfo, "stateful" | "maxBatch" | "maxBatchWaitMs" | "idempotent" | "concurrency">;

export interface SchedulerOptions extends Rules {
  readonly workers: number;
  /** Finals of one lane that may run at once. A lane of a stateful model runs one. */
  readonly maxInFlight: number;
  /** Longest time for one call. */
  readonly timeoutMs: number;
  /**
   * Time for which a worker that ended during a call counts as occupied by the streams of the call, unless it is back.
   */
  readonly lostMs: number;
}
