import type { Outcome } from "../../model/job.ts";

/** Entry point of tracing; `NO_TRACING` and `OtelTracing` implement it. */
export interface Tracing {
  /** @param path of the URL, one of the patterns' routes */
  startConnection(request: Request, path: string): ConnectionTrace;
}

/** Trace of one connection, from its upgrade request on. */
export interface ConnectionTrace {
  /** The upgrade request has got its response. @param errorCode of a refusal */
  responded(status: number, errorCode?: string): void;
  /** A `start` has been received. A trace that it names takes precedence over the headers of the upgrade. */
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
  /** Of the stream's span. Without tracing it names a span that nobody records. */
  readonly traceparent: string;
  decodeStarted(): void;
  decodeEnded(): void;
  /** Speech has started in a channel. */
  speechStarted(channel: number): void;
  jobSubmitted(job: TracedJob): JobTrace;
  /** The stream as a whole has failed, or its start was refused. */
  failed(code: string, message: string): void;
  /** An internal error has ended the stream. */
  crashed(error: unknown): void;
  /** @param attributes by OpenTelemetry attribute name */
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
  /** For the worker, whose spans become children of the job's. */
  readonly traceparent: string;
  settled(outcome: Outcome): void;
  /** The result, or the error in its place, has been sent. */
  resultSent(): void;
}
