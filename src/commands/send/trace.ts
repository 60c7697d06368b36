import type { ProgramSpan } from "../../telemetry/tracing/otel-sdk.ts";
import type { TraceExport } from "../../telemetry/tracing/trace-export.ts";
import { continueTrace, parseTraceparent } from "../../telemetry/tracing/traceparent.ts";

/** The trace that one recording is sent in: a span of our own, if spans are exported, else only an id that the server goes on with. */
export class SendTrace implements Disposable {
  /** `trace_id` of the start. */
  readonly traceId: string;
  readonly #span: ProgramSpan | undefined;

  /** @param given the trace that the user wants to be part of */
  constructor(traceExport: TraceExport | undefined, url: URL, given: string | undefined) {
    const facts = { "url.path": url.pathname, "server.address": url.hostname, "server.port": Number(url.port) || 80 };
    this.#span = traceExport?.startSpan("send", facts, given);
    // A trace without a span that anybody recorded: the server's is its root.
    this.traceId = this.#span?.traceparent ?? given ?? parseTraceparent(continueTrace(undefined))?.traceId ?? "";
  }

  /** Headers of the upgrade, so that it belongs to the same trace. */
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
