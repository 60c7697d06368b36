import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { OTEL_VARIABLES, otelProblems } from "../../../src/telemetry/tracing/otel-environment.ts";

const SAMPLERS =
  "always_on, parentbased_always_on, always_off, parentbased_always_off, traceidratio, parentbased_traceidratio";

describe("a variable of OpenTelemetry that is not supported is named", () => {
  test.each([
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 'found "grpc"; allowed: http/protobuf (port 4318 of a collector)'],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", 'found "http/json"; allowed: http/protobuf (port 4318 of a'],
    ["OTEL_TRACES_EXPORTER", "console", 'found "console"; allowed: otlp, none'],
    ["OTEL_TRACES_EXPORTER", "otlp,zipkin", 'found "otlp,zipkin"; allowed: otlp, none'],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote", `found "jaeger_remote"; allowed: ${SAMPLERS}`],
    ["OTEL_TRACES_SAMPLER", "ALWAYS_ON", `found "ALWAYS_ON"; allowed: ${SAMPLERS}`],
    ["OTEL_TRACES_SAMPLER_ARG", "10%", 'found "10%"; allowed: a number from 0 to 1'],
    ["OTEL_TRACES_SAMPLER_ARG", "0.1", 'found "0.1"; allowed: nothing, unless OTEL_TRACES_SAMPLER is traceidratio or'],
    [
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      "localhost:4318",
      'found "localhost:4318"; allowed: a URL with http:// or https://',
    ],
    ["OTEL_EXPORTER_OTLP_HEADERS", "s3cret", "found another text; allowed: key=value, several separated by commas"],
    ["OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 'found "zstd"; allowed: none, gzip'],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "10s", 'found "10s"; allowed: a number of milliseconds'],
    ["OTEL_EXPORTER_OTLP_CERTIFICATE", "/none.pem", 'found "/none.pem"; allowed: a file that can be read'],
    ["OTEL_SDK_DISABLED", "1", 'found "1"; allowed: true, false'],
    ["OTEL_PROPAGATORS", "tracecontext,b3", 'found "tracecontext,b3"; allowed: tracecontext, baggage'],
    ["OTEL_METRICS_EXPORTER", "otlp", 'found "otlp"; allowed: prometheus, none; metrics are at GET /metrics'],
    ["OTEL_LOGS_EXPORTER", "otlp", 'found "otlp"; allowed: console, none; the log is on standard error'],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=b=c", 'found "a=b=c"; allowed: key=value, several separated by commas'],
    ["OTEL_BSP_MAX_QUEUE_SIZE", "many", 'found "many"; allowed: a number of 0 or more'],
  ])("%s=%s", (name, value, sentence) => {
    const problems = otelProblems({ [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toStartWith(`${name}: ${sentence}`);
  });

  test.each([
    ["OTEL_EXPORTER_OTLP_INSECURE", ""],
    ["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", ""],
    ["OTEL_BLRP_SCHEDULE_DELAY", ""],
    ["OTEL_LOG_LEVEL", ""],
    ["OTEL_CONFIG_FILE", ""],
    ["OTEL_TRACE_SAMPLER", "; did you mean OTEL_TRACES_SAMPLER?"],
    ["OTEL_EXPORTER_OTLP_ENDPIONT", "; did you mean OTEL_EXPORTER_OTLP_ENDPOINT?"],
  ])("%s", (name, hint) => {
    expect(otelProblems({ [name]: "x" })).toEqual([`${name} is not supported${hint}`]);
  });
});

test("what is supported is not named", () => {
  const env = {
    OTEL_SDK_DISABLED: "False",
    OTEL_SERVICE_NAME: "calls",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test, a=b%3Dc",
    OTEL_TRACES_EXPORTER: "OTLP",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    OTEL_PROPAGATORS: "tracecontext, baggage",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    OTEL_EXPORTER_OTLP_ENDPOINT: "https://localhost:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Basic%20eHg=,x=y==",
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "5000",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_EXPORTER_OTLP_CERTIFICATE: import.meta.path,
    OTEL_BSP_SCHEDULE_DELAY: "500",
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: " ",
    STREAMER__LOG__LEVEL: "debug",
  };
  expect(otelProblems(env)).toEqual([]);
  expect(otelProblems({ OTEL_SDK_DISABLED: "true", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" })).toEqual([]);
});

test("docs/operations.md describes every supported variable", () => {
  const page = readFileSync(join(import.meta.dir, "../../../docs/operations.md"), "utf8");
  const isDescribed = (name: string) =>
    page.includes(`\`${name.replace("_OTLP_TRACES_", "_OTLP_")}\``) || /^OTEL_(?:ATTRIBUTE|SPAN)_.*_LIMIT$/.test(name);
  expect(OTEL_VARIABLES.filter((name) => !isDescribed(name))).toEqual([]);
});
