import { Headroom, type Slabs } from "../capacity/headroom.ts";
import type { Config } from "../config/config.ts";
import { StreamAdmission } from "../stream/stream-admission.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { expectedLoad } from "./expected-load.ts";

/** Opens the admission of streams with the configured limits. */
export function openAdmission(
  config: Config,
  slabs: Slabs,
  reports: { readonly log: Logger; readonly metrics: ServerMetrics; readonly clock: () => number },
): StreamAdmission {
  const { arena, wait_ms, load } = config["limits.admission"];
  const headroom = new Headroom({ arena, waitMs: wait_ms, load }, slabs, expectedLoad(config));
  return new StreamAdmission(headroom, reports);
}
