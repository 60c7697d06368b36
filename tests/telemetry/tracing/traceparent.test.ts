import { describe, expect, test } from "bun:test";

import { continueTrace, parseTraceparent, sampledTraceId } from "../../../src/telemetry/tracing/traceparent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

describe("parseTraceparent", () => {
  test("a traceparent names a trace, a span and whether it is sampled", () => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.sampled).toBe(false);
  });

  test("a later version may have more fields", () => {
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-more`)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-01-more`)).toBeUndefined();
  });

  test("a bare trace id may be in either case", () => {
    expect(parseTraceparent(TRACE.toUpperCase())).toEqual({ traceId: TRACE, sampled: true });
  });

  test("any other text is not a trace", () => {
    for (const text of [
      "",
      "hello",
      "0".repeat(32),
      TRACE.slice(1),
      `ff-${TRACE}-${SPAN}-01`,
      `00-${"0".repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${"0".repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-01\n`,
      ` 00-${TRACE}-${SPAN}-01`,
    ]) {
      expect(parseTraceparent(text)).toBeUndefined();
    }
  });
});

describe("continueTrace", () => {
  test("the trace and its sampling continue, with a new span", () => {
    for (const flags of ["00", "01"]) {
      const child = continueTrace(`00-${TRACE}-${SPAN}-${flags}`);
      expect(child).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${flags}$`));
      expect(child).not.toContain(SPAN);
    }
    expect(continueTrace(TRACE)).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  });

  test("a new trace starts without a valid parent", () => {
    for (const parent of [undefined, "", "nonsense"]) {
      const root = parseTraceparent(continueTrace(parent));
      expect(root?.sampled).toBe(false);
      expect(root?.traceId).not.toBe(parseTraceparent(continueTrace(parent))?.traceId);
    }
  });
});

test("only a sampled traceparent has a trace id for exemplars", () => {
  expect(sampledTraceId(`00-${TRACE}-${SPAN}-01`)).toBe(TRACE);
  expect(sampledTraceId(`00-${TRACE}-${SPAN}-00`)).toBeUndefined();
  expect(sampledTraceId(undefined)).toBeUndefined();
});
