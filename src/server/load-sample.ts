import { readFileSync } from "node:fs";

import type { Services } from "../stream/services.ts";
import { threadCpuSeconds } from "../telemetry/metrics/usage.ts";

/** The main thread's file of the scheduler: nanoseconds on a processor, nanoseconds of waiting for one, slices. */
const SCHEDSTAT = `/proc/self/task/${process.pid}/schedstat`;

/** Measures the load of the main thread, which must be the calling one. About ten times a second. @param now ms */
export function sampleLoad({ admission, metrics }: Pick<Services, "admission" | "metrics">, now: number): void {
  const cpu = threadCpuSeconds();
  const totals = { cpu, busy: busySeconds() ?? cpu, audio: metrics.mainThread.decodedSeconds };
  admission.headroom.sample(now, { ...totals, connections: admission.connections });
}

/** Time in which the thread worked or could have; undefined where the kernel does not count it. */
function busySeconds(): number | undefined {
  try {
    const [run, wait] = readFileSync(SCHEDSTAT, "utf8").split(" ").map(Number);
    return run !== undefined && wait !== undefined && run > 0 ? (run + wait) / 1e9 : undefined;
  } catch {
    return undefined;
  }
}
