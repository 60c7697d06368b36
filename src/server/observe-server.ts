import { dialectPorts } from "../config/dialect-ports.ts";
import { watchRoutes } from "../dialects/watch/routes.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Services } from "../stream/services.ts";
import { presetSeries } from "../telemetry/metrics/preset-series.ts";
import { RuntimeMonitor } from "../telemetry/metrics/runtime-monitor.ts";
import { collectGauges } from "./gauges.ts";
import type { Readiness } from "./readiness.ts";

/** Patterns of the dialects of other services. */
const OTHERS = ["segmented", "stateful"];

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
  const { metrics, log, admission, config } = services;
  metrics.registry.onCollect(() => collectGauges(services, sessions, readiness.unready() === undefined, version));
  // Other dialects have one pattern for models that keep state, and one for all others.
  const onPorts = dialectPorts(config).map(({ section }) => section);
  const watches = watchRoutes(config).map(({ dialect }) => dialect);
  const spoken = new Set([...config.dialects.enabled, ...onPorts, ...watches]);
  const dialects = [...spoken].flatMap((dialect) => {
    const patterns = dialect === "streamer" ? Object.keys(PATTERNS) : OTHERS;
    return patterns.map((pattern) => ({ pattern, dialect }));
  });
  presetSeries(metrics, dialects);
  return new RuntimeMonitor({
    metrics,
    log,
    maxSessions: () => sessions.limit,
    carried: () => admission.headroom.carried,
  });
}
