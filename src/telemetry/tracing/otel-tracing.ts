import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from "@opentelemetry/semantic-conventions";

import { excerpt } from "../../lib/excerpt.ts";
import { epochMs, remoteContext } from "./span-context.ts";
import { StreamSpans } from "./stream-spans.ts";
import { parseTraceparent } from "./traceparent.ts";
import type { ConnectionTrace, StreamTrace, StreamTraceOptions, Tracing } from "./tracing.ts";

/** Longest user agent in an attribute, in characters. */
const USER_AGENT_LENGTH = 200;

/** Gives the next root span this trace id: for clients that name a trace but no span in it. */
export type AdoptTraceId = (traceId: string) => void;

/** Tracing with OpenTelemetry. Spans are passed explicitly and never made the current span of the thread. */
export class OtelTracing implements Tracing {
  readonly #tracer: Tracer;
  readonly #adoptTraceId: AdoptTraceId;

  constructor(tracer: Tracer, adoptTraceId: AdoptTraceId) {
    this.#tracer = tracer;
    this.#adoptTraceId = adoptTraceId;
  }

  startConnection(request: Request | undefined, path: string): ConnectionTrace {
    const headers = request?.headers;
    const parent = headers && this.#clientParent(headers.get("traceparent"), headers.get("tracestate"));
    const span = this.#tracer.startSpan(
      request === undefined ? `connect ${path}` : `${request.method} ${path}`,
      {
        kind: SpanKind.SERVER,
        startTime: epochMs(),
        ...(request !== undefined && { attributes: attributesOf(request, path) }),
      },
      parent ?? ROOT_CONTEXT,
    );
    return {
      responded: (status, errorCode) => {
        if (headers !== undefined) span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
        if (errorCode !== undefined) span.setAttribute(ATTR_ERROR_TYPE, errorCode);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(epochMs());
      },
      startStream: (options) => this.#startStream(options, span),
    };
  }

  /**
   * A stream is a child of the span that its `start` names, with a link to the connection, or else a child of the
   * connection.
   */
  #startStream(options: StreamTraceOptions, connection: Span): StreamTrace {
    const parent = this.#clientParent(options.traceparent, options.tracestate);
    const span = this.#tracer.startSpan(
      `stream ${options.pattern}`,
      {
        kind: SpanKind.SERVER,
        startTime: epochMs(),
        attributes: {
          "streamer.session": options.session,
          "streamer.stream": options.stream,
          "streamer.pattern": options.pattern,
        },
        ...(parent !== undefined && { links: [{ context: connection.spanContext() }] }),
      },
      parent ?? trace.setSpan(ROOT_CONTEXT, connection),
    );
    return new StreamSpans(this.#tracer, span, options.usesVad);
  }

  /**
   * Returns the parent context that a client has named; undefined when it has named none. The next root span adopts a
   * bare trace id.
   */
  #clientParent(traceparent: string | null | undefined, tracestate: string | null | undefined): Context | undefined {
    const named = parseTraceparent(traceparent ?? "");
    if (named === undefined) return undefined;
    if (named.spanId === undefined) {
      this.#adoptTraceId(named.traceId);
      return ROOT_CONTEXT;
    }
    return remoteContext(traceparent ?? undefined, tracestate ?? undefined);
  }
}

/** Attributes of the request for a connection. */
function attributesOf({ method, headers }: Request, path: string): Attributes {
  return {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    [ATTR_HTTP_ROUTE]: path,
    [ATTR_URL_PATH]: path,
    [ATTR_URL_SCHEME]: "http",
    [ATTR_USER_AGENT_ORIGINAL]: excerpt(headers.get("user-agent") ?? "", USER_AGENT_LENGTH),
  };
}
