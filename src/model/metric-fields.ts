import { describeValue } from "../lib/excerpt.ts";

/** Most series of all metrics of one model. A remote model has up to 13 for each of 64 engines. */
export const MAX_SERIES = 1_024;
/** Longest value of a label, in characters. */
export const MAX_LABEL_LENGTH = 64;
/** Buckets of a histogram that declares none, in seconds. */
export const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Most metrics of a model, labels of a metric, and buckets of a histogram. */
const MAX_METRICS = 32;
const MAX_LABELS = 4;
const MAX_BUCKETS = 32;
const MAX_HELP_LENGTH = 200;

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const NAME_ALLOWED = "1 to 64 of a-z, 0-9 and _, a letter first";
/** Labels that the server or the format of Prometheus uses. */
const RESERVED_LABELS: readonly unknown[] = ["model", "process", "le", "quantile", "job", "instance"];

/** Returns a sentence for each metric of `ModelModule.metrics` that is not declared as it must be. */
export function findMetricProblems(metrics: unknown): string[] {
  if (metrics === undefined) return [];
  if (!isObject(metrics)) return [found("metrics", metrics, "an object of { type, help, labels, buckets } by name")];
  const names = Object.keys(metrics);
  if (names.length > MAX_METRICS) return [`metrics: found ${names.length}; allowed: ${MAX_METRICS}`];
  return names.flatMap((name) => {
    if (!NAME.test(name)) return [`metrics: found the name ${JSON.stringify(name)}; allowed: ${NAME_ALLOWED}`];
    const metric: unknown = metrics[name];
    return isObject(metric)
      ? findDeclarationProblems(`metrics.${name}`, metric)
      : [found(`metrics.${name}`, metric, "{ type, help }")];
  });
}

function findDeclarationProblems(path: string, { type, help, labels, buckets }: Record<string, unknown>): string[] {
  const problems: string[] = [];
  const check = (holds: boolean, field: string, value: unknown, allowed: string): void => {
    if (!holds) problems.push(found(`${path}.${field}`, value, allowed));
  };
  check(["counter", "gauge", "histogram"].includes(type as string), "type", type, "counter, gauge, histogram");
  check(isText(help), "help", help, `one line of 1 to ${MAX_HELP_LENGTH} characters`);
  const labelsAllowed = `at most ${MAX_LABELS} different names (${NAME_ALLOWED}), none of ${RESERVED_LABELS.join(", ")}`;
  check(labels === undefined || isLabels(labels), "labels", labels, labelsAllowed);
  const bucketsAllowed = `1 to ${MAX_BUCKETS} ascending numbers, and only of a histogram`;
  check(buckets === undefined || (type === "histogram" && isBuckets(buckets)), "buckets", buckets, bucketsAllowed);
  return problems;
}

function found(path: string, value: unknown, allowed: string): string {
  return `${path}: found ${describeValue(value)}; allowed: ${allowed}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "" && value.length <= MAX_HELP_LENGTH && !/\p{Cc}/u.test(value);
}

function isLabels(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > MAX_LABELS || new Set(value).size < value.length) return false;
  return value.every((name) => typeof name === "string" && NAME.test(name) && !RESERVED_LABELS.includes(name));
}

function isBuckets(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BUCKETS) return false;
  return value.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > value[i - 1]));
}
