import type { Outcome } from "../../model/job.ts";

/** Tracing of a server. `NO_TRACING` and `OtelTracing` implement it. */
export interface Tracing {
  /**
   * @param request undefined: the connection has none, as over TCP
   * @param path of the URL, one of the routes; without a request, the name of the dialect
   */
  startConnection(request: Request | undefined, path: string): ConnectionTrace;
}

/** Trace of one connection, from its upgrade request on. */
export interface ConnectionTrace {
  /** Records the response to the upgrade request. @param errorCode of a refusal */
  responded(status: number, errorCode?: string): void;
  /** Starts the trace of a stream. A trace that its `start` names takes precedence over the headers of the upgrade. */
  startStream(options: StreamTraceOptions): StreamTrace;
}

export interface StreamTraceOptions {
  /** `trace_id` of the start: a traceparent or a bare trace id. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly session: string;
  /** Number of the stream in its session. */
  readonly stream: number;
  readonly pattern: string;
  /** True: every job of the stream belongs to an utterance. */
  readonly usesVad: boolean;
}

/** Trace of one stream. */
export interface StreamTrace {
  /** Identifies the span of the stream. Without tracing, nobody records that span. */
  readonly traceparent: string;
  decodeStarted(): void;
  decodeEnded(): void;
  /** Records the start of speech in a channel. */
  speechStarted(channel: number): void;
  jobSubmitted(job: TracedJob): JobTrace;
  /** Records the failure of the whole stream, or the refusal of its start. */
  failed(code: string, message: string): void;
  /** Records an internal error that ended the stream. */
  crashed(error: unknown): void;
  /** Ends the span of the stream and all below it. @param attributes by OpenTelemetry attribute name */
  ended(attributes: Readonly<Record<string, string | number>>): void;
}

/** A job for the model. */
export interface TracedJob {
  readonly kind: "final" | "interim";
  readonly channel: number;
  /** Seconds from the first sample of the stream. */
  readonly start: number;
  readonly end: number;
  /** Seconds of audio after the end of the job's speech; undefined while the speech goes on. */
  readonly silence: number | undefined;
}

/** Trace of one job. */
export interface JobTrace {
  /** Parent for spans of the worker. */
  readonly traceparent: string;
  settled(outcome: Outcome): void;
  /** Records that the result, or the error in its place, has been sent. */
  resultSent(): void;
}
