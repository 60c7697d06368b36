import { dialectPorts } from "../config/dialect-ports.ts";
import { fileRoutesOf, routesOf } from "../dialects/dialects.ts";
import { grpcMethodsOf } from "../dialects/grpc-methods.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_FORMAT_NAMES } from "../lib/sample-format.ts";
import { fileName } from "../model/models.ts";
import { serves } from "../pipeline/pattern.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import { featureNames } from "../protocol/features.ts";
import type { Sessions } from "../session/sessions.ts";
import type { ServedModel, Services } from "../stream/services.ts";
import { liveStats } from "../telemetry/metrics/live-stats.ts";
import type { DescribedDialect } from "./addresses.ts";
import type { LoadProgress } from "./load-watch.ts";
import type { Description } from "./pages.ts";
import type { Readiness } from "./readiness.ts";
import { shownPaths } from "./routes.ts";

/** The part of `info` that describes this server: models, formats and limits, and the load at the moment. */
export function describeServer(
  services: Services,
  sessions: Sessions,
  readiness: Pick<Readiness, "loads">,
  openedAt: number,
): Description {
  const { config, models, arena, metrics, clock } = services;
  return {
    patterns: Object.keys(PATTERNS),
    dialects: describeDialects(config),
    models: [...models.values()].map(describeModel),
    ...describeLoads(readiness.loads(clock())),
    formats: { encodings: SAMPLE_FORMAT_NAMES, sample_rate: { min: MIN_SAMPLE_RATE, max: MAX_SAMPLE_RATE } },
    limits: { ...config.limits, admission: config["limits.admission"] },
    features: featureNames(services.resumption !== undefined),
    sessions: sessions.size,
    arena: { used_slabs: arena.used, slabs: arena.capacity },
    live: { uptime_seconds: Math.floor((clock() - openedAt) / 1000), ...liveStats(metrics) },
  };
}

/** Returns the part of `info` about models that are being loaded; nothing when there is none. */
function describeLoads(loads: readonly LoadProgress[]): { readonly loading?: readonly LoadProgress[] } {
  if (loads.length === 0) return {};
  // Clients do not need the path of a model file.
  return { loading: loads.map((load) => ({ ...load, model: fileName(load.model) ?? load.model })) };
}

/** Dialects by the paths of this server, and by ports of their own. */
function describeDialects(config: Services["config"]): DescribedDialect[] {
  const routes = routesOf(config.dialects.enabled);
  const ports = new Map(dialectPorts(config).map(({ section, port }) => [section, port]));
  const { grpc } = config;
  // They share the port of gRPC.
  if (grpc.port !== 0) for (const { dialect } of grpcMethodsOf(config.dialects.enabled)) ports.set(dialect, grpc.port);
  const uploads = fileRoutesOf(config.dialects.enabled);
  const names = new Set([...[...routes, ...uploads].map(({ dialect }) => dialect), ...ports.keys()]);
  return [...names].map((name) => {
    const paths = routes.find(({ dialect }) => dialect === name)?.paths;
    const files = uploads.find(({ dialect }) => dialect === name)?.paths;
    const port = ports.get(name);
    const shown = paths && { paths: shownPaths(paths) };
    return { name, ...shown, ...(files && { files }), ...(port !== undefined && { port }) };
  });
}

function describeModel(model: ServedModel): Record<string, unknown> {
  const { name, ownName, sampleRate, keepsState, pinned, options, maxBatch, generation, unavailable } = model;
  const patterns = Object.values(PATTERNS).filter((pattern) => serves(pattern, model));
  return {
    name,
    own_name: ownName,
    sample_rate: sampleRate,
    patterns: patterns.map((pattern) => pattern.name),
    stateful: keepsState,
    pinned: pinned !== undefined,
    ...(pinned && { step_ms: pinned.stepMs }),
    ...(options && { options }),
    max_batch: maxBatch,
    generation,
    ...(unavailable !== undefined && { unavailable }),
  };
}
