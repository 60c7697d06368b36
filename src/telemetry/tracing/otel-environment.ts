import { accessSync, constants } from "node:fs";

import { describeValue, excerpt } from "../../lib/excerpt.ts";
import { nearestName } from "../../lib/nearest-name.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns the words after "allowed: " if a value is not supported. The value is trimmed and not empty. */
type Check = (value: string) => string | undefined;

const anything: Check = () => undefined;

/** @param more words about other values */
function choice(choices: readonly string[], more = ""): Check {
  return (value) => (choices.includes(value) ? undefined : choices.join(", ") + more);
}

/** A comma-separated list, each part of which is checked. */
function list(check: Check): Check {
  return (value) =>
    partsOf(value)
      .map(check)
      .find((allowed) => allowed !== undefined);
}

const ignoringCase =
  (check: Check): Check =>
  (value) =>
    check(value.toLowerCase());

function number(min: number, max: number, words: string): Check {
  return (value) => (Number(value) >= min && Number(value) <= max ? undefined : words);
}

const count = number(0, Number.MAX_SAFE_INTEGER, "a number of 0 or more");
const milliseconds = number(1, Number.MAX_SAFE_INTEGER, "a number of milliseconds");

const url: Check = (value) => {
  const isHttp = URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
  return isHttp ? undefined : "a URL with http:// or https://";
};

/** @param one matches one pair */
function pairs(one: RegExp): Check {
  return (value) =>
    partsOf(value).every((part) => one.test(part)) ? undefined : "key=value, several separated by commas";
}

const file: Check = (value) => {
  try {
    accessSync(value, constants.R_OK);
    return undefined;
  } catch {
    return "a file that can be read";
  }
};

/** Settings of the exporter, which may be given for all signals or for traces only. */
const EXPORTER: Readonly<Record<string, Check>> = {
  ENDPOINT: url,
  PROTOCOL: choice(["http/protobuf"], " (port 4318 of a collector)"),
  HEADERS: pairs(/^[^=]+=/),
  TIMEOUT: milliseconds,
  COMPRESSION: choice(["none", "gzip"]),
  CERTIFICATE: file,
  CLIENT_CERTIFICATE: file,
  CLIENT_KEY: file,
};

const SAMPLERS = ["always_on", "always_off", "traceidratio"].flatMap((name) => [name, `parentbased_${name}`]);

/** The variables of OpenTelemetry that have an effect, and the values that are supported. */
const VARIABLES: Readonly<Record<string, Check>> = {
  OTEL_SDK_DISABLED: ignoringCase(choice(["true", "false"])),
  OTEL_SERVICE_NAME: anything,
  OTEL_RESOURCE_ATTRIBUTES: pairs(/^[^=]+=[^=]*$/),
  OTEL_TRACES_EXPORTER: ignoringCase(list(choice(["otlp", "none"]))),
  OTEL_TRACES_SAMPLER: choice(SAMPLERS),
  OTEL_TRACES_SAMPLER_ARG: number(0, 1, "a number from 0 to 1"),
  OTEL_PROPAGATORS: list(choice(["tracecontext", "baggage"])),
  OTEL_METRICS_EXPORTER: ignoringCase(list(choice(["prometheus", "none"], "; metrics are at GET /metrics"))),
  OTEL_LOGS_EXPORTER: ignoringCase(list(choice(["console", "none"], "; the log is on standard error"))),
  ...Object.fromEntries(
    Object.entries(EXPORTER).flatMap(([name, check]) => [
      [`OTEL_EXPORTER_OTLP_${name}`, check],
      [`OTEL_EXPORTER_OTLP_TRACES_${name}`, check],
    ]),
  ),
  OTEL_BSP_SCHEDULE_DELAY: milliseconds,
  OTEL_BSP_EXPORT_TIMEOUT: milliseconds,
  OTEL_BSP_MAX_QUEUE_SIZE: count,
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: count,
  OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: count,
  OTEL_ATTRIBUTE_COUNT_LIMIT: count,
  OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: count,
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: count,
  OTEL_SPAN_EVENT_COUNT_LIMIT: count,
  OTEL_SPAN_LINK_COUNT_LIMIT: count,
  OTEL_SPAN_ATTRIBUTE_PER_EVENT_COUNT_LIMIT: count,
  OTEL_SPAN_ATTRIBUTE_PER_LINK_COUNT_LIMIT: count,
};

export const OTEL_VARIABLES: readonly string[] = Object.keys(VARIABLES);

/** Variables whose values may be secrets. */
const SECRET = /_HEADERS$/;
/** Variables of the specification that resemble supported ones: those of log records. */
const OTHERS = /^OTEL_BLRP_/;

/**
 * Returns a sentence for each variable of OpenTelemetry that has no effect, because Streamer does not support it or its
 * value. Empty if OTEL_SDK_DISABLED turns everything off.
 */
export function otelProblems(env: Environment): string[] {
  if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") return [];
  return Object.entries(env).flatMap(([name, given = ""]) => {
    const value = given.trim();
    if (!name.startsWith("OTEL_") || value === "") return [];
    const check = Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined;
    if (check === undefined) {
      const meant = OTHERS.test(name) ? undefined : nearestName(name, OTEL_VARIABLES);
      return [`${excerpt(name)} is not supported${meant === undefined ? "" : `; did you mean ${meant}?`}`];
    }
    const allowed = check(value) ?? (name === "OTEL_TRACES_SAMPLER_ARG" ? unusedArgument(env) : undefined);
    if (allowed === undefined) return [];
    return [`${name}: found ${SECRET.test(name) ? "another text" : describeValue(value)}; allowed: ${allowed}`];
  });
}

/** Only the samplers with a ratio take an argument. */
function unusedArgument(env: Environment): string | undefined {
  return /traceidratio$/.test(env["OTEL_TRACES_SAMPLER"]?.trim() ?? "")
    ? undefined
    : "nothing, unless OTEL_TRACES_SAMPLER is traceidratio or parentbased_traceidratio";
}

function partsOf(value: string): string[] {
  return value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
