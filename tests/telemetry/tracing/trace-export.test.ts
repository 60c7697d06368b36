import { describe, expect, test } from "bun:test";

import { exportConfigured, openTraceExport } from "../../../src/telemetry/tracing/trace-export.ts";

const OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318";

describe("traces are exported", () => {
  test("when the environment names an endpoint", () => {
    expect(exportConfigured({})).toBe(false);
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT })).toBe(true);
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://localhost:4318/v1/traces" })).toBe(true);
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT: "  " })).toBe(false);
  });

  test("when the environment names the exporter otlp, whose default endpoint is this machine", () => {
    expect(exportConfigured({ OTEL_TRACES_EXPORTER: "otlp" })).toBe(true);
    expect(exportConfigured({ OTEL_TRACES_EXPORTER: "console, OTLP" })).toBe(true);
    expect(exportConfigured({ OTEL_TRACES_EXPORTER: "" })).toBe(false);
  });

  test("unless the environment names other exporters only", () => {
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: "console" })).toBe(false);
  });

  test("unless the environment disables tracing", () => {
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: "TRUE" })).toBe(false);
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: "false" })).toBe(true);
    expect(exportConfigured({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: "none" })).toBe(false);
  });
});

test("nothing is set up for an environment without an endpoint", async () => {
  expect(await openTraceExport({ service: "test", version: "1", env: {} })).toBeUndefined();
});
