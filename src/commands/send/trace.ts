import type { ProgramSpan } from "../../telemetry/tracing/otel-sdk.ts";
import type { TraceExport } from "../../telemetry/tracing/trace-export.ts";
import { continueTrace, parseTraceparent } from "../../telemetry/tracing/traceparent.ts";

/** The trace of one `send`: a span of its own if spans are exported, else only a trace id that the server continues. */
export class SendTrace implements Disposable {
  /** The field `trace_id` of `start`. */
  readonly traceId: string;
  readonly #span: ProgramSpan | undefined;

  /** `given`: the trace id or traceparent that the user set, if any. */
  constructor(traceExport: TraceExport | undefined, url: URL, given: string | undefined) {
    const attributes = {
      "url.path": url.pathname,
      "server.address": url.hostname,
      "server.port": Number(url.port) || 80,
    };
    this.#span = traceExport?.startSpan("send", attributes, given);
    // Without spans of our own, the server's span is the root of the trace.
    this.traceId = this.#span?.traceparent ?? given ?? parseTraceparent(continueTrace(undefined))?.traceId ?? "";
  }

  /** Headers that put the upgrade request into the same trace. */
  get headers(): Record<string, string> | undefined {
    return this.#span === undefined ? undefined : { traceparent: this.#span.traceparent };
  }

  failed(code: string, problem: string): void {
    this.#span?.failed(code, problem);
  }

  [Symbol.dispose](): void {
    this.#span?.ended();
  }
}
