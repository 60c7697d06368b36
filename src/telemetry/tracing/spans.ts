import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
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
import type { Outcome } from "../../model/job.ts";
import type { ConnectionTrace, StreamFacts, StreamTrace, Tracing, WorkFacts, WorkTrace } from "./trace.ts";
import { parseTraceparent } from "./traceparent.ts";

/** Makes the next root span part of a trace whose id is known, but no span of it. */
export type BeginTrace = (traceId: string) => void;

/** What OpenTelemetry records. Spans are begun and ended here only, and are never current: they are carried by what they describe. */
export class RecordedTracing implements Tracing {
  readonly #tracer: Tracer;
  readonly #beginTrace: BeginTrace;

  constructor(tracer: Tracer, beginTrace: BeginTrace) {
    this.#tracer = tracer;
    this.#beginTrace = beginTrace;
  }

  connection(request: Request, path: string): ConnectionTrace {
    const { headers } = request;
    const parent = this.#remote(headers.get("traceparent"), headers.get("tracestate"));
    const attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: "GET",
      [ATTR_HTTP_ROUTE]: path,
      [ATTR_URL_PATH]: path,
      [ATTR_URL_SCHEME]: "http",
      [ATTR_USER_AGENT_ORIGINAL]: excerpt(headers.get("user-agent") ?? "", 200),
    };
    const span = this.#tracer.startSpan(
      `GET ${path}`,
      { kind: SpanKind.SERVER, startTime: now(), attributes },
      parent ?? ROOT_CONTEXT,
    );
    return {
      answered: (status, code) => {
        span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
        if (code !== undefined) span.setAttribute(ATTR_ERROR_TYPE, code);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(now());
      },
      stream: (facts) => this.#stream(facts, span),
    };
  }

  #stream(facts: StreamFacts, upgrade: Span): StreamTrace {
    const named = this.#remote(facts.traceparent, facts.tracestate);
    const span = this.#tracer.startSpan(
      `stream ${facts.pattern}`,
      {
        kind: SpanKind.SERVER,
        startTime: now(),
        attributes: {
          "streamer.session": facts.session,
          "streamer.stream": facts.stream,
          "streamer.pattern": facts.pattern,
        },
        ...(named !== undefined && { links: [{ context: upgrade.spanContext() }] }),
      },
      named ?? trace.setSpan(ROOT_CONTEXT, upgrade),
    );
    return new StreamSpans(this.#tracer, span, facts.usesVad);
  }

  /** The context that a client's words put its span in; undefined: they name none. */
  #remote(traceparent: string | null | undefined, tracestate: string | null | undefined): Context | undefined {
    const parent = parseTraceparent(traceparent ?? "");
    if (parent === undefined) return undefined;
    if (parent.spanId === undefined) {
      this.#beginTrace(parent.traceId);
      return ROOT_CONTEXT;
    }
    return parentContext(traceparent ?? undefined, tracestate ?? undefined);
  }
}

interface Utterance {
  readonly span: Span;
  readonly begun: number;
}

/** One stream's span and those below it: utterances, and what the model was asked. */
class StreamSpans implements StreamTrace {
  readonly traceparent: string;
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #recorded: boolean;
  readonly #usesVad: boolean;
  /** Begun and not ended. */
  readonly #open = new Set<Span>();
  /** By channel: what is being said. */
  readonly #utterances: (Utterance | undefined)[] = [];
  /** The last piece of audio, epoch milliseconds. */
  #decodeBegan = 0;
  #decodeEnded = 0;

  constructor(tracer: Tracer, span: Span, usesVad: boolean) {
    this.#tracer = tracer;
    this.#span = span;
    this.#usesVad = usesVad;
    this.#recorded = span.isRecording();
    this.traceparent = traceparentOf(span);
  }

  decoding(): void {
    if (this.#recorded) this.#decodeBegan = now();
  }

  decoded(): void {
    if (this.#recorded) this.#decodeEnded = now();
  }

  speechBegan(channel: number): void {
    if (this.#recorded) this.#utterance(channel, now());
  }

  asked(work: WorkFacts): WorkTrace {
    if (!this.#recorded) return { traceparent: this.traceparent, settled: () => {}, answered: () => {} };
    const at = now();
    const { channel, kind, silence } = work;
    const utterance = this.#usesVad ? (this.#utterances[channel] ?? this.#utterance(channel, at)) : undefined;
    const parent = utterance?.span ?? this.#span;
    if (kind === "final") {
      this.#done("decode", parent, this.#decodeBegan, this.#decodeEnded);
      if (utterance !== undefined) this.#endpointed(utterance, work, at);
    }
    const span = this.#begin("inference", parent, at);
    span.setAttributes({
      "streamer.channel": channel,
      "streamer.final": kind === "final",
      "streamer.start_time": work.start,
      "streamer.end_time": work.end,
    });
    // Without silence the speech goes on, in another utterance.
    if (kind === "final") this.#utterances[channel] = undefined;
    if (kind === "final" && this.#usesVad && silence === undefined) this.#utterance(channel, at);
    return {
      traceparent: traceparentOf(span),
      settled: (outcome) => this.#settle(span, at, outcome),
      answered: () => {
        if (kind === "final" && utterance !== undefined) this.#end(utterance.span);
      },
    };
  }

  failed(code: string, message: string): void {
    fail(this.#span, code, message);
  }

  crashed(error: unknown): void {
    this.#span.recordException(error instanceof Error ? error : String(error), now());
  }

  ended(facts: Readonly<Record<string, string | number>>): void {
    this.#span.setAttributes(facts);
    for (const span of this.#open) this.#end(span);
    this.#span.end(now());
  }

  #utterance(channel: number, begun: number): Utterance {
    const span = this.#begin("utterance", this.#span, begun);
    span.setAttribute("streamer.channel", channel);
    return (this.#utterances[channel] = { span, begun });
  }

  /** How long it took to be sure that the speech had ended: as long as the silence that proves it, in real time. */
  #endpointed(utterance: Utterance, { start, end, silence = 0 }: WorkFacts, at: number): void {
    utterance.span.setAttributes({ "streamer.start_time": start, "streamer.end_time": end });
    this.#done("endpointing", utterance.span, Math.max(utterance.begun, at - silence * 1000), at);
  }

  #settle(span: Span, at: number, outcome: Outcome): void {
    // What no worker has seen is no inference; a span that is not ended is not exported.
    if (outcome.status === "dropped") return void this.#open.delete(span);
    const started = at + outcome.queueMs;
    this.#done("queue", span, at, started);
    const compute = this.#begin("compute", span, started);
    if (outcome.status === "ok") {
      compute.setAttributes({ "streamer.worker": outcome.worker, "streamer.batch_size": outcome.batchSize });
    } else {
      fail(compute, outcome.code, outcome.message);
      fail(span, outcome.code, outcome.message);
    }
    this.#end(compute, started + outcome.inferMs);
    this.#end(span);
  }

  #begin(name: string, parent: Span, startTime: number): Span {
    const span = this.#tracer.startSpan(name, { startTime }, trace.setSpan(ROOT_CONTEXT, parent));
    this.#open.add(span);
    return span;
  }

  #done(name: string, parent: Span, from: number, to: number): void {
    this.#end(this.#begin(name, parent, from), to);
  }

  #end(span: Span, at: number = now()): void {
    if (this.#open.delete(span)) span.end(at);
  }
}

function fail(span: Span, code: string, message: string): void {
  span.recordException({ name: code, message: excerpt(message, 1_024) }, now());
  span.setAttribute(ATTR_ERROR_TYPE, code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** The context of a span somewhere else; undefined: these words name none. */
export function parentContext(traceparent: string | undefined, tracestate?: string): Context | undefined {
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

/** A span as the header `traceparent` names it. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** Milliseconds since 1970, as exact as the monotonic clock. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
