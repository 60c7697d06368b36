import { PATTERNS } from "../pipeline/patterns.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Services } from "../stream/services.ts";
import { presetSeries } from "../telemetry/metrics/preset-series.ts";
import { RuntimeMonitor } from "../telemetry/metrics/runtime-monitor.ts";
import { collectGauges } from "./gauges.ts";
import type { Readiness } from "./readiness.ts";

/**
 * Connects the metrics of a server with what they show, and measures its main thread, which must be the calling one,
 * until disposed.
 */
export function observeServer(
  services: Services,
  sessions: Sessions,
  readiness: Pick<Readiness, "unready">,
  version: string,
): Disposable {
  const { metrics, log, admission } = services;
  metrics.registry.onCollect(() => collectGauges(services, sessions, readiness.unready() === undefined, version));
  presetSeries(metrics, Object.keys(PATTERNS));
  return new RuntimeMonitor({
    metrics,
    log,
    maxSessions: () => sessions.limit,
    carried: () => admission.headroom.carried,
  });
}
