import { ROOT_CONTEXT, type Span, SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import { ATTR_ERROR_TYPE } from "@opentelemetry/semantic-conventions";

import { excerpt } from "../../lib/excerpt.ts";
import type { Outcome } from "../../model/job.ts";
import { epochMs, traceparentOf } from "./span-context.ts";
import type { JobTrace, StreamTrace, TracedJob } from "./tracing.ts";

/** Longest error message in a span, in characters. */
const MESSAGE_LENGTH = 1_024;

interface Utterance {
  readonly span: Span;
  /** Start of the span, epoch milliseconds. */
  readonly startedAt: number;
  /** It is what is left of one that was cut: perhaps nothing. */
  readonly isRest: boolean;
  /** It has had a job. */
  isUsed: boolean;
}

/**
 * Spans of one stream:
 *
 *     stream > utterance > decode, endpointing, inference > queue, compute
 *
 * Without voice activity detection there are no utterances and the stream is the parent of `decode` and `inference`.
 */
export class StreamSpans implements StreamTrace {
  readonly traceparent: string;
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #recorded: boolean;
  /** What every job of a stream gets that is not recorded. */
  readonly #unrecorded: JobTrace;
  readonly #usesVad: boolean;
  /** Started and not ended. */
  readonly #open = new Set<Span>();
  /** Utterances of each channel without a final. A model that is given them step by step may be behind. */
  readonly #utterances: Utterance[][] = [];
  /** Times of the last chunk, epoch milliseconds. */
  #decodeStartedAt = 0;
  #decodeEndedAt = 0;

  constructor(tracer: Tracer, span: Span, usesVad: boolean) {
    this.#tracer = tracer;
    this.#span = span;
    this.#usesVad = usesVad;
    this.#recorded = span.isRecording();
    this.traceparent = traceparentOf(span);
    this.#unrecorded = { traceparent: this.traceparent, settled: () => {}, resultSent: () => {} };
  }

  decodeStarted(): void {
    if (this.#recorded) this.#decodeStartedAt = epochMs();
  }

  decodeEnded(): void {
    if (this.#recorded) this.#decodeEndedAt = epochMs();
  }

  speechStarted(channel: number): void {
    if (!this.#recorded) return;
    const last = this.#utterances[channel]?.at(-1);
    if (last?.isRest === true && !last.isUsed) {
      this.#utterances[channel]?.pop();
      this.#end(last.span);
    }
    this.#startUtterance(channel, epochMs());
  }

  jobSubmitted(job: TracedJob): JobTrace {
    if (!this.#recorded) return this.#unrecorded;
    const now = epochMs();
    const { channel, kind, silence } = job;
    const utterance = this.#usesVad
      ? (this.#utterances[channel]?.[0] ?? this.#startUtterance(channel, now))
      : undefined;
    const parent = utterance?.span ?? this.#span;
    if (utterance !== undefined) utterance.isUsed = true;
    if (kind === "final") {
      this.#record("decode", parent, this.#decodeStartedAt, this.#decodeEndedAt);
      if (utterance !== undefined) this.#recordEndpointing(utterance, job, now);
    }
    const span = this.#start("inference", parent, now);
    span.setAttributes({
      "streamer.channel": channel,
      "streamer.final": kind === "final",
      "streamer.start_time": job.start,
      "streamer.end_time": job.end,
    });
    if (kind === "final" && utterance !== undefined) this.#endUtterance(channel, silence, now);
    return {
      traceparent: traceparentOf(span),
      settled: (outcome) => this.#settle(span, now, outcome),
      resultSent: () => {
        if (kind === "final" && utterance !== undefined) this.#end(utterance.span);
      },
    };
  }

  failed(code: string, message: string): void {
    setFailed(this.#span, code, message);
  }

  crashed(error: unknown): void {
    this.#span.recordException(error instanceof Error ? error : String(error), epochMs());
  }

  ended(attributes: Readonly<Record<string, string | number>>): void {
    this.#span.setAttributes(attributes);
    for (const span of this.#open) this.#end(span);
    this.#span.end(epochMs());
  }

  #startUtterance(channel: number, startedAt: number, isRest = false): Utterance {
    const span = this.#start("utterance", this.#span, startedAt);
    span.setAttribute("streamer.channel", channel);
    const utterance = { span, startedAt, isRest, isUsed: false };
    (this.#utterances[channel] ??= []).push(utterance);
    return utterance;
  }

  #endUtterance(channel: number, silence: number | undefined, now: number): void {
    const others = this.#utterances[channel] ?? [];
    others.shift();
    // The utterance was cut, at its full length or by the model: the speech goes on in the next one.
    if (silence === undefined && others.length === 0) this.#startUtterance(channel, now, true);
  }

  /**
   * Records the time that it took to detect the end of speech: in real time, the length of the silence that proves it.
   */
  #recordEndpointing(utterance: Utterance, { start, end, silence = 0 }: TracedJob, now: number): void {
    utterance.span.setAttributes({ "streamer.start_time": start, "streamer.end_time": end });
    this.#record("endpointing", utterance.span, Math.max(utterance.startedAt, now - silence * 1000), now);
  }

  #settle(span: Span, submittedAt: number, outcome: Outcome): void {
    // A dropped job never ran. A span that does not end is not exported.
    if (outcome.status === "dropped") return void this.#open.delete(span);
    const computeFrom = submittedAt + outcome.queueMs;
    this.#record("queue", span, submittedAt, computeFrom);
    const compute = this.#start("compute", span, computeFrom);
    if (outcome.status === "ok") {
      compute.setAttributes({ "streamer.worker": outcome.worker, "streamer.batch_size": outcome.batchSize });
    } else {
      setFailed(compute, outcome.code, outcome.message);
      setFailed(span, outcome.code, outcome.message);
    }
    this.#end(compute, computeFrom + outcome.inferMs);
    this.#end(span);
  }

  #start(name: string, parent: Span, startTime: number): Span {
    const span = this.#tracer.startSpan(name, { startTime }, trace.setSpan(ROOT_CONTEXT, parent));
    this.#open.add(span);
    return span;
  }

  /** Records a span whose start and end are both known. */
  #record(name: string, parent: Span, startTime: number, endTime: number): void {
    this.#end(this.#start(name, parent, startTime), endTime);
  }

  #end(span: Span, endTime: number = epochMs()): void {
    if (this.#open.delete(span)) span.end(endTime);
  }
}

function setFailed(span: Span, code: string, message: string): void {
  span.recordException({ name: code, message: excerpt(message, MESSAGE_LENGTH) }, epochMs());
  span.setAttribute(ATTR_ERROR_TYPE, code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
