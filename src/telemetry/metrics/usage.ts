import type { ServerMetrics } from "./server-metrics.ts";

/** Resources used in a period, in seconds. */
export interface Usage {
  /** Length of the period. */
  readonly wall: number;
  /** Processor time of the main thread. */
  readonly mainThread: number;
  /** Processor time of all threads. */
  readonly processor: number;
  /** Audio received; a stream counts once, whatever its number of channels. */
  readonly audio: number;
}

/** Returns the usage from the start of the process until now. */
export function totalUsage({ mainThread }: ServerMetrics): Usage {
  const { user, system } = process.cpuUsage();
  return {
    wall: performance.now() / 1000,
    mainThread: threadCpuSeconds(),
    processor: (user + system) / 1e6,
    audio: mainThread.decodedSeconds,
  };
}

/** Returns the usage of the period between two totals. */
export function usageBetween(before: Usage, after: Usage): Usage {
  return {
    wall: after.wall - before.wall,
    mainThread: after.mainThread - before.mainThread,
    processor: after.processor - before.processor,
    audio: after.audio - before.audio,
  };
}

/** Returns the processor time of the calling thread. */
export function threadCpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
