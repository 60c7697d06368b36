import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
  TraceFlags,
} from "@opentelemetry/api";

import { parseTraceparent } from "./traceparent.ts";

/** Returns the context of a remote span; undefined when `traceparent` names none. */
export function remoteContext(traceparent: string | undefined, tracestate?: string): Context | undefined {
  const { traceId = "", spanId, sampled = false } = parseTraceparent(traceparent ?? "") ?? {};
  if (spanId === undefined) return undefined;
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
  return trace.setSpanContext(ROOT_CONTEXT, context);
}

/** Returns the value of the header `traceparent` for children of a span. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** Returns milliseconds since 1970 with the resolution of the monotonic clock. */
export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
