import { context, isSpanContextValid, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_SERVER_ADDRESS,
} from "@opentelemetry/semantic-conventions";

import type { EngineError } from "./transport.ts";

/** The span of one inference at an endpoint. */
export interface EngineSpan {
  /** Trace context for the engine. */
  readonly traceparent: string | undefined;
  end(fault?: EngineError): void;
}

/** @param traceparent trace context of the call, which the engine gets if spans are not recorded */
export type SpanStarter = (endpoint: string, traceparent: string | undefined) => EngineSpan;

/** Starts a child of the current span, which is that of the call of the model. */
export const startEngineSpan: SpanStarter = (endpoint, traceparent) => {
  const attributes = { [ATTR_SERVER_ADDRESS]: endpoint };
  const tracer = trace.getTracer("streamer.remote");
  const span = tracer.startSpan("engine inference", { kind: SpanKind.CLIENT, attributes }, context.active());
  const { traceId, spanId, traceFlags } = span.spanContext();
  const own = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  return {
    traceparent: isSpanContextValid(span.spanContext()) ? own : traceparent,
    end: (fault) => {
      if (fault !== undefined) {
        span.setAttribute(ATTR_ERROR_TYPE, fault.fault);
        if (fault.status !== undefined) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, fault.status);
        span.setStatus({ code: SpanStatusCode.ERROR, message: fault.message });
      }
      span.end();
    },
  };
};
