import { ROOT_CONTEXT, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, type IdGenerator, RandomIdGenerator } from "@opentelemetry/sdk-trace-base";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";

import { CountingExporter, CountingProcessor, type SpanCountingOptions } from "./counted-spans.ts";
import { OtelTracing } from "./otel-tracing.ts";
import { epochMs, remoteContext, traceparentOf } from "./span-context.ts";
import { parseTraceparent } from "./traceparent.ts";
import type { Tracing } from "./tracing.ts";

export interface OtelSdkOptions extends SpanCountingOptions {
  /** Default of `service.name`; the environment may override it. */
  readonly service: string;
  readonly version: string;
}

export interface OtelSdk {
  readonly provider: BasicTracerProvider;
  readonly tracing: Tracing;
  /** Starts a span of the program itself. @param parent a traceparent or a bare trace id */
  startSpan(name: string, attributes: Readonly<Record<string, string | number>>, parent?: string): ProgramSpan;
}

export interface ProgramSpan {
  readonly traceparent: string;
  failed(code: string, message: string): void;
  ended(): void;
}

/** Random ids, except that the next trace can adopt an id from outside. */
class AdoptingIdGenerator implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #adopted: string | undefined;

  readonly adoptTraceId = (traceId: string | undefined): void => {
    this.#adopted = traceId;
  };

  generateTraceId = (): string => {
    const traceId = this.#adopted ?? this.#random.generateTraceId();
    this.#adopted = undefined;
    return traceId;
  };

  generateSpanId = (): string => this.#random.generateSpanId();
}

/**
 * Creates a tracer provider with an OTLP exporter. The libraries read sampler, limits, queue and endpoint from the
 * environment.
 */
export function createOtelSdk(options: OtelSdkOptions): OtelSdk {
  const ids = new AdoptingIdGenerator();
  const defaults = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: options.service,
    [ATTR_SERVICE_VERSION]: options.version,
  });
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    resource: defaultResource()
      .merge(defaults)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new CountingProcessor(new CountingExporter(new OTLPTraceExporter(), options), options)],
  });
  const tracer = provider.getTracer("streamer", options.version);
  return {
    provider,
    tracing: new OtelTracing(tracer, ids.adoptTraceId),
    startSpan(name, attributes, parent) {
      const context = remoteContext(parent);
      if (context === undefined && parent !== undefined) ids.adoptTraceId(parseTraceparent(parent)?.traceId);
      const span = tracer.startSpan(
        name,
        { kind: SpanKind.CLIENT, startTime: epochMs(), attributes },
        context ?? ROOT_CONTEXT,
      );
      return {
        traceparent: traceparentOf(span),
        failed: (code, message) => {
          span.recordException({ name: code, message });
          span.setStatus({ code: SpanStatusCode.ERROR, message: code });
        },
        ended: () => span.end(epochMs()),
      };
    },
  };
}
