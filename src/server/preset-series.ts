import { PATTERNS } from "../pipeline/patterns.ts";
import { type ErrorCode, type ErrorRow, ERRORS, WARNINGS } from "../protocol/errors.ts";
import { EVENTS } from "../protocol/events.ts";
import { ACTIVITIES } from "../telemetry/metrics/main-thread.ts";
import type { InterimFate, WorkerDeath } from "../telemetry/metrics/model-metrics.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

const FATES: readonly InterimFate[] = [
  ...(["sent", "replaced", "stretched", "overtaken", "late", "withheld", "failed", "closed"] as const),
];
const DEATHS: readonly WorkerDeath[] = ["error", "exit", "timeout", "load"];
const FAILURES = ["inference_failed", "inference_timeout", "worker_crashed"];

/** Begins all series whose labels are known at 0, so that the first event of a kind is seen to be an increase. */
export function presetSeries(metrics: ServerMetrics, models: Iterable<string>): void {
  const { all } = metrics;
  for (const [code, row] of Object.entries(ERRORS) as [ErrorCode, ErrorRow][]) {
    all.errors.with({ code });
    if (row.status !== undefined) all.sessionsRefused.with({ reason: code });
    if (row.close !== undefined) all.sessionsClosed.with({ reason: code });
  }
  for (const reason of ["stop", "client", "vanished"]) all.sessionsClosed.with({ reason });
  for (const code of Object.keys(WARNINGS)) all.warnings.with({ code });
  for (const type of Object.keys(EVENTS)) all.eventsSent.with({ type });
  for (const fate of ["recorded", "exported", "failed"]) all.spans.with({ fate });
  for (const kind of ["young", "all"]) all.collections.with({ kind });
  for (const pattern of Object.keys(PATTERNS)) all.sessionsOpened.with({ pattern });
  for (const stage of [...ACTIVITIES, "other"]) {
    all.blocked.with({ stage });
    all.blockedSeconds.with({ stage });
  }
  for (const fate of ["recorded", "exported", "failed"]) all.spans.with({ fate });
  for (const model of models) {
    for (const fate of FATES) all.interims.with({ model, fate });
    for (const cause of DEATHS) all.workerDeaths.with({ model, cause });
    for (const code of FAILURES) all.inferenceFailures.with({ model, code });
    for (const pattern of Object.keys(PATTERNS)) metrics.stream(pattern, model);
  }
}
