import { excerpt } from "../lib/excerpt.ts";
import { MAX_LABEL_LENGTH, MAX_SERIES } from "../model/metric-fields.ts";
import type { RecordedSeries } from "../telemetry/metrics/declared-metrics.ts";
import { MAX_REASON_LENGTH, type ModelReport } from "../worker/model-reports.ts";

/** Reads a report of a worker, which may be one that the model has written itself; undefined: it is malformed. */
export function readReport(report: unknown): ModelReport | undefined {
  if (!isFields(report)) return undefined;
  const { unavailable, metrics } = report;
  const isReason = unavailable === undefined || unavailable === null || typeof unavailable === "string";
  if (!isReason || !(metrics === undefined || isSeriesList(metrics))) return undefined;
  const reason = typeof unavailable === "string" ? excerpt(unavailable, MAX_REASON_LENGTH) : unavailable;
  return { ...(reason !== undefined && { unavailable: reason }), ...(metrics !== undefined && { metrics }) };
}

function isSeriesList(list: unknown): list is readonly RecordedSeries[] {
  return Array.isArray(list) && list.length <= MAX_SERIES && list.every(isSeries);
}

function isSeries(series: unknown): boolean {
  if (!isFields(series)) return false;
  const { name, labels, value, counts } = series;
  return (
    typeof name === "string" &&
    Array.isArray(labels) &&
    labels.every((label) => typeof label === "string" && label.length <= MAX_LABEL_LENGTH) &&
    Number.isFinite(value) &&
    (counts === undefined || (Array.isArray(counts) && counts.every((count) => Number.isInteger(count) && count >= 0)))
  );
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
