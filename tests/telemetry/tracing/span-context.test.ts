import { expect, test } from "bun:test";

import { trace } from "@opentelemetry/api";

import { remoteContext, traceparentOf } from "../../../src/telemetry/tracing/span-context.ts";

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

test("a traceparent survives the way through a context", () => {
  const context = remoteContext(TRACEPARENT, "vendor=7");
  if (context === undefined) throw new Error("no context");
  const span = trace.getSpan(context);
  if (span === undefined) throw new Error("no span");
  expect(traceparentOf(span)).toBe(TRACEPARENT);
  expect(span.spanContext()).toMatchObject({ isRemote: true });
  expect(span.spanContext().traceState?.get("vendor")).toBe("7");
});

test("a text that names no span has no context", () => {
  for (const text of [undefined, "", "nonsense", "4bf92f3577b34da6a3ce929d0e0e4736"]) {
    expect(remoteContext(text)).toBeUndefined();
  }
});
