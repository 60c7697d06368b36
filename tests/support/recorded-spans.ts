import type { Tracer } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/** A tracer whose ended spans stay in memory, in the order of their end. */
export class SpanRecorder {
  readonly tracer: Tracer;
  readonly #exporter = new InMemorySpanExporter();

  constructor() {
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter)];
    this.tracer = new BasicTracerProvider({ spanProcessors }).getTracer("test");
  }

  get spans(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  get names(): string[] {
    return this.spans.map(({ name }) => name);
  }

  /** Returns the only span of this name. Throws when there are none or several. */
  one(name: string): ReadableSpan {
    const [span, ...more] = this.spans.filter((each) => each.name === name);
    if (span === undefined || more.length > 0) throw new Error(`"${name}" is not unique in ${this.names.join(", ")}`);
    return span;
  }

  /** Returns the names of a span and its ancestors, from the outside in. */
  pathOf({ name, parentSpanContext }: ReadableSpan): string[] {
    const parent = this.spans.find((each) => each.spanContext().spanId === parentSpanContext?.spanId);
    return [...(parent === undefined ? [] : this.pathOf(parent)), name];
  }
}

/** Returns the length of a span in milliseconds. */
export function durationMs({ duration: [seconds, nanoseconds] }: ReadableSpan): number {
  return seconds * 1_000 + nanoseconds / 1e6;
}
