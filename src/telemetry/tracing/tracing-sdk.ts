import { ROOT_CONTEXT, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";

import { now, parentContext, RecordedTracing, traceparentOf } from "./spans.ts";
import { parseTraceparent } from "./traceparent.ts";
import type { OpenTracing, TracingOptions } from "./tracing.ts";

/** A failing exporter is logged so often at most. */
const LOG_EVERY_MS = 60_000;

/** Random, except that the next trace may be one that somebody else has begun. */
class TraceIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #next: string | undefined;

  readonly begin = (traceId: string | undefined): void => {
    this.#next = traceId;
  };

  generateTraceId = (): string => {
    const next = this.#next ?? this.#random.generateTraceId();
    this.#next = undefined;
    return next;
  };

  generateSpanId = (): string => this.#random.generateSpanId();
}

/** Counts what is exported and what is not, and says now and then why not. */
class CountedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #options: TracingOptions;
  #loggedAt = -Infinity;

  constructor(exporter: SpanExporter, options: TracingOptions) {
    this.#exporter = exporter;
    this.#options = options;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      const good = result.code === ExportResultCode.SUCCESS;
      this.#options.count?.(good ? "exported" : "failed").add(spans.length);
      if (!good && performance.now() - this.#loggedAt > LOG_EVERY_MS) {
        this.#loggedAt = performance.now();
        this.#options.log?.warn("span_export_failed", { spans: spans.length, error: result.error?.message });
      }
      done(result);
    });
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }

  async shutdown(): Promise<void> {
    await this.#exporter.shutdown();
  }
}

/** The queue holds OTEL_BSP_MAX_QUEUE_SIZE spans; what is beyond is dropped, so that nothing grows when nobody takes them. */
class CountedProcessor extends BatchSpanProcessor {
  readonly #recorded;

  constructor(exporter: SpanExporter, options: TracingOptions) {
    super(exporter);
    this.#recorded = options.count?.("recorded");
  }

  override onEnd(span: ReadableSpan): void {
    this.#recorded?.add();
    super.onEnd(span);
  }
}

/** Sampler, limits, queue and endpoint are the libraries' to read from the environment. */
export function setUp(options: TracingOptions): Omit<OpenTracing, "close"> & { provider: BasicTracerProvider } {
  const ids = new TraceIds();
  const named = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: options.service,
    [ATTR_SERVICE_VERSION]: options.version,
  });
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    resource: defaultResource()
      .merge(named)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new CountedProcessor(new CountedExporter(new OTLPTraceExporter(), options), options)],
  });
  const tracer = provider.getTracer("streamer", options.version);
  return {
    provider,
    tracing: new RecordedTracing(tracer, ids.begin),
    span(name, attributes, parent) {
      const known = parentContext(parent);
      if (known === undefined && parent !== undefined) ids.begin(parseTraceparent(parent)?.traceId);
      const span = tracer.startSpan(
        name,
        { kind: SpanKind.CLIENT, startTime: now(), attributes },
        known ?? ROOT_CONTEXT,
      );
      return {
        traceparent: traceparentOf(span),
        failed: (code, message) => {
          span.recordException({ name: code, message });
          span.setStatus({ code: SpanStatusCode.ERROR, message: code });
        },
        ended: (facts) => {
          span.setAttributes(facts);
          span.end(now());
        },
      };
    },
  };
}
