import type { Clock } from "../lib/clock.ts";
import type { ModelInfo } from "../model/model-info.ts";
import type { ModelReport } from "../worker/model-reports.ts";
import type { CallResult, HostEvents, HostExit, WorkerHost } from "./worker-host.ts";

export interface SlotEvents {
  ready(info: ModelInfo): void;
  done(results: readonly CallResult[]): void;
  /** @param isCurrent false: the worker was abandoned, or the slot is closed */
  reported(report: ModelReport, isCurrent: boolean): void;
  strangeMessage(): void;
  /** The worker, which was ready, has ended by itself or because of `close`. */
  exited(exit: HostExit): void;
  /** A worker could not be started. The next attempt follows. */
  loadFailed(exit: HostExit): void;
  /** An abandoned worker has not ended by itself and is terminated. */
  stuck(): void;
  /** Workers end again and again before they answer a call. The next attempt follows. */
  looping(): void;
  /** An abandoned worker has ended. */
  left(): void;
  /** A worker is to be started, but `mayStart` is false: abandoned ones are to be terminated. */
  crowded(): void;
  /** They have not ended in time. */
  blocked(): void;
}

export interface SlotOptions {
  readonly startHost: (events: HostEvents) => WorkerHost;
  readonly loadTimeoutMs: number;
  readonly clock: Clock;
  /** Returns whether a worker may be started beside those that were abandoned. */
  readonly mayStart: () => boolean;
  readonly events: SlotEvents;
}

/**
 * `ready`: the worker takes calls. `starting`: it is loading, or about to. `failing`: the same, but the last one could
 * not be loaded. `looping`: the same, but the last ones ended before they answered a call. `blocked`: there is none, because abandoned ones do not end.
 */
export type SlotState = "ready" | "starting" | "failing" | "looping" | "blocked";
