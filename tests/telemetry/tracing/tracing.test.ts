import { describe, expect, test } from "bun:test";

import { untraced } from "../../../src/telemetry/tracing/trace.ts";
import { tracingWanted } from "../../../src/telemetry/tracing/tracing.ts";

describe("tracing is wanted", () => {
  test("when the environment names a place to send spans to", () => {
    expect(tracingWanted({})).toBe(false);
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost:4318" })).toBe(true);
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://localhost:4318/v1/traces" })).toBe(true);
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: "  " })).toBe(false);
  });

  test("unless it is switched off", () => {
    const OTEL_EXPORTER_OTLP_ENDPOINT = "http://localhost:4318";
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: "TRUE" })).toBe(false);
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED: "false" })).toBe(true);
    expect(tracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER: "none" })).toBe(false);
  });
});

test("without tracing the client's trace goes on, a start's before the headers'", () => {
  const [HEADER, START] = ["1", "2"].map((digit) => `00-${digit.repeat(32)}-00f067aa0ba902b7-01`);
  const facts = { tracestate: undefined, session: "s", stream: 0, pattern: "simple", usesVad: false };
  const connection = untraced(HEADER);
  expect(connection.stream({ ...facts, traceparent: START }).traceparent).toStartWith(`00-${"2".repeat(32)}-`);
  const own = connection.stream({ ...facts, traceparent: undefined });
  expect(own.traceparent).toStartWith(`00-${"1".repeat(32)}-`);
  const work = own.asked({ kind: "final", channel: 0, start: 0, end: 1, silence: undefined });
  expect(work.traceparent).toBe(own.traceparent);
});
