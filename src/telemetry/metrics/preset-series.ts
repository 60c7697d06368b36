import { JOB_FAILURES } from "../../model/job.ts";
import { type ErrorCode, type ErrorRow, ERRORS } from "../../protocol/errors.ts";
import { EVENTS } from "../../protocol/events.ts";
import { WARNINGS } from "../../protocol/warnings.ts";
import { UNAUTHORIZED_REASONS } from "./families/auth.ts";
import { CONNECTION_LIMITS } from "./families/connections.ts";
import { RELOAD_RESULTS } from "./families/models.ts";
import { SPAN_FATES } from "./families/server.ts";
import { MAIN_THREAD_STAGES } from "./main-thread-timer.ts";
import { INTERIM_FATES, WORKER_DEATH_CAUSES } from "./model-metrics.ts";
import { PREEMPTED } from "./runtime-monitor.ts";
import type { ServerMetrics } from "./server-metrics.ts";

/**
 * Creates the series of a server whose labels are known in advance, so that Prometheus sees the first event of a kind
 * as an increase from 0.
 */
export function presetSeries(
  metrics: ServerMetrics,
  routes: readonly { readonly pattern: string; readonly dialect: string }[],
): void {
  const { connections, sessions, streams, traffic, runtime, server } = metrics.families;
  for (const [code, row] of Object.entries(ERRORS) as [ErrorCode, ErrorRow][]) {
    traffic.errors.with({ code });
    if (row.status !== undefined) sessions.refused.with({ reason: code });
    if (row.close !== undefined) sessions.closed.with({ reason: code });
  }
  for (const reason of ["stop", "client", "vanished", "protocol_error"]) sessions.closed.with({ reason });
  for (const code of Object.keys(WARNINGS)) traffic.warnings.with({ code });
  for (const type of Object.keys(EVENTS)) traffic.eventsSent.with({ type });
  for (const kind of ["young", "all"]) runtime.collections.with({ kind });
  runtime.logDropped.with({});
  runtime.turnWaitSeconds.with({});
  for (const fate of SPAN_FATES) server.spans.with({ fate });
  for (const stage of MAIN_THREAD_STAGES) runtime.turnSeconds.with({ stage });
  for (const stage of [...MAIN_THREAD_STAGES, "other", PREEMPTED]) {
    runtime.blocked.with({ stage });
    runtime.blockedSeconds.with({ stage });
  }
  for (const limit of CONNECTION_LIMITS) connections.closed.with({ limit });
  for (const { pattern, dialect } of routes) sessions.opened.with({ pattern, dialect });
  streams.shed.with({});
}

/** Creates the series of a server with tokens in the same way. */
export function presetAuthSeries(metrics: ServerMetrics): void {
  for (const reason of UNAUTHORIZED_REASONS) metrics.families.auth.unauthorized.with({ reason });
}

/** Creates the series of the models in the same way. Their names are known when they are loaded. */
export function presetModelSeries(metrics: ServerMetrics, patterns: readonly string[], names: Iterable<string>): void {
  const { inference, models, workers } = metrics.families;
  for (const model of names) {
    for (const fate of INTERIM_FATES) inference.interims.with({ model, fate });
    for (const cause of WORKER_DEATH_CAUSES) workers.deaths.with({ model, cause });
    for (const result of RELOAD_RESULTS) models.reloads.with({ model, result });
    for (const code of JOB_FAILURES) inference.failures.with({ model, code });
    for (const pattern of patterns) metrics.stream(pattern, model);
  }
}
