import { isInterim, type Job, type Outcome } from "../model/job.ts";
import { isEmpty } from "../pipeline/answer-events.ts";
import type { PipelineEvent } from "../pipeline/pipeline.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { MeasuredStream, StreamMetrics } from "../telemetry/metrics/stream-metrics.ts";
import type { JobTrace, StreamTrace } from "../telemetry/tracing/tracing.ts";

/** A job from its submission to its answer. */
export interface Submission {
  readonly job: Job;
  readonly trace: JobTrace;
  /** Milliseconds of the clock. */
  readonly submittedAt: number;
  /**
   * Seconds of audio between the end of speech and the submission; undefined without voice activity, or while speech
   * goes on.
   */
  readonly silence: number | undefined;
  outcome: Outcome | undefined;
}

/** Metrics and spans of one stream. The stream reports what happens; nothing here changes it. */
export class StreamTelemetry {
  readonly trace: StreamTrace;
  readonly #metrics: ServerMetrics;
  readonly #streamMetrics: StreamMetrics;
  readonly #clock: () => number;
  readonly #model: { readonly name: string; readonly sampleRate: number };
  /** Finals of each channel without an answer, in order. */
  readonly #unanswered: Submission[][] = [];
  /** End of the last speech of each channel, seconds. */
  readonly #speechEnd: (number | undefined)[] = [];

  /** @param pattern name of the pattern; @param services.clock returns milliseconds, monotonic */
  constructor(
    services: { readonly metrics: ServerMetrics; readonly clock: () => number },
    trace: StreamTrace,
    pattern: string,
    model: { readonly name: string; readonly sampleRate: number },
  ) {
    this.trace = trace;
    this.#metrics = services.metrics;
    this.#clock = services.clock;
    this.#model = model;
    this.#streamMetrics = services.metrics.stream(pattern, model.name);
  }

  started(stream: MeasuredStream): void {
    this.#streamMetrics.started(stream);
  }

  /** A pipeline has produced an event. */
  event(channel: number, event: PipelineEvent): void {
    if (event.type === "inactive") this.#speechEnd[channel] = event.time;
    else if (event.type === "active") {
      this.#speechEnd[channel] = undefined;
      this.trace.speechStarted(channel);
    }
  }

  /**
   * A job is about to be submitted.
   * @param place.start position at which the audio of its result starts
   * @param place.position samples that the pipeline has seen
   */
  submitted(channel: number, job: Job, { start, position }: { start: number; position: number }): Submission {
    const rate = this.#model.sampleRate;
    const speechEnd = this.#speechEnd[channel];
    const silence = speechEnd === undefined ? undefined : position / rate - speechEnd;
    const kind = isInterim(job) ? "interim" : "final";
    const facts = { kind, channel, start: start / rate, end: job.end / rate, silence } as const;
    const submittedAt = this.#clock();
    const submission: Submission = {
      job,
      trace: this.trace.jobSubmitted(facts),
      submittedAt,
      silence,
      outcome: undefined,
    };
    if (kind === "final") (this.#unanswered[channel] ??= []).push(submission);
    return submission;
  }

  /** A job has its outcome. The answer of a final may still wait for those before it. */
  settled(submission: Submission, outcome: Outcome): void {
    submission.trace.settled(outcome);
    submission.outcome = outcome;
  }

  /**
   * An interim has its outcome.
   * @param sent undefined: there was nothing to send, or it came too late; false: it was held back
   */
  interimSettled({ trace, job }: Submission, outcome: Outcome, sent: boolean | undefined): void {
    trace.resultSent();
    if (outcome.status === "dropped") return;
    const model = this.#metrics.model(this.#model.name);
    if (sent !== undefined) model.interimEnded(sent ? "sent" : "withheld");
    else if (job.givesInterim === true) return;
    else if (outcome.status === "failed") model.interimEnded("failed");
    else model.interimEnded(isEmpty(outcome) ? "declined" : "late");
  }

  /**
   * All finals of a channel that end by `position` have been sent.
   * @param received seconds of audio received so far
   */
  finalsSent(channel: number, position: number, received: number): void {
    const waiting = this.#unanswered[channel] ?? [];
    for (let first = waiting[0]; first?.outcome !== undefined && first.job.end <= position; first = waiting[0]) {
      waiting.shift();
      first.trace.resultSent();
      if (first.outcome.status !== "ok") continue;
      const latencyMs = this.#clock() - first.submittedAt;
      const lag = Math.max(0, received - first.job.end / this.#model.sampleRate);
      const sinceSpeechMs = first.silence === undefined ? undefined : first.silence * 1000 + latencyMs;
      this.#streamMetrics.finalSent(latencyMs, lag, sinceSpeechMs, this.trace.traceparent);
    }
  }

  /** The stream is over. @param reason as `stopped` has it, or `vanished` */
  stopped(stream: MeasuredStream, reason: string): void {
    // First: a fault of the traces must not leave the stream among those that are open.
    this.#streamMetrics.stopped(stream, reason);
    for (const waiting of this.#unanswered) for (const { trace } of waiting ?? []) trace.resultSent();
    const { received, inferred, silent, failed } = stream.audio;
    this.trace.ended({
      "streamer.reason": reason,
      "streamer.audio.received_seconds": received,
      "streamer.audio.inferred_seconds": inferred,
      "streamer.audio.silent_seconds": silent,
      "streamer.audio.failed_seconds": failed,
    });
  }
}
