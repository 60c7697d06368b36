import type { Job, Outcome } from "../model/job.ts";
import type { PipelineEvent } from "../pipeline/pipeline.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { MeasuredStream, StreamMetrics } from "../telemetry/metrics/stream-metrics.ts";
import type { JobTrace, StreamTrace } from "../telemetry/tracing/tracing.ts";

export interface StreamTelemetryOptions {
  readonly metrics: ServerMetrics;
  readonly trace: StreamTrace;
  readonly pattern: { readonly name: string; readonly usesVad: boolean };
  readonly model: { readonly name: string; readonly sampleRate: number };
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  /** Seconds of audio received so far. */
  readonly received: () => number;
}

/** A piece of work from its asking to its answer. */
export interface Asked {
  readonly job: Job;
  readonly trace: JobTrace;
  /** Milliseconds of the clock. */
  readonly at: number;
  /** Seconds of audio between the end of speech and the asking; undefined: the speech goes on, or nobody listens for it. */
  readonly silence: number | undefined;
  outcome: Outcome | undefined;
}

/** What metrics and traces get to see of one stream. The stream tells what it does; nothing here changes what it does. */
export class StreamTelemetry {
  readonly trace: StreamTrace;
  readonly #options: StreamTelemetryOptions;
  readonly #metrics: StreamMetrics;
  readonly #rate: number;
  /** Finals of each channel without an answer, in order. */
  readonly #asked: Asked[][] = [];
  /** End of the last speech of each channel, seconds. */
  readonly #speechEnd: (number | undefined)[] = [];

  constructor(options: StreamTelemetryOptions) {
    this.#options = options;
    this.trace = options.trace;
    this.#rate = options.model.sampleRate;
    this.#metrics = options.metrics.stream(options.pattern.name, options.model.name);
  }

  started(stream: MeasuredStream): void {
    this.#metrics.started(stream);
  }

  /** A pipeline has said something. */
  said(channel: number, event: PipelineEvent): void {
    if (event.type === "inactive") this.#speechEnd[channel] = event.time;
    else if (event.type === "active") {
      this.#speechEnd[channel] = undefined;
      this.trace.speechStarted(channel);
    }
  }

  /** A pipeline asks the model. @param clock samples that it has seen */
  asked(channel: number, job: Job, clock: number): Asked {
    const speechEnd = this.#speechEnd[channel];
    const silence = speechEnd === undefined ? undefined : clock / this.#rate - speechEnd;
    const { kind } = job;
    const facts = { kind, channel, start: job.start / this.#rate, end: job.end / this.#rate, silence };
    const asked: Asked = {
      job,
      trace: this.trace.jobSubmitted(facts),
      at: this.#options.clock(),
      silence,
      outcome: undefined,
    };
    if (kind === "final") (this.#asked[channel] ??= []).push(asked);
    return asked;
  }

  /** An interim has its outcome. @param sent undefined: it was of no use any more; false: it was held back */
  interim(asked: Asked, outcome: Outcome, sent: boolean | undefined): void {
    asked.trace.settled(outcome);
    asked.trace.resultSent();
    if (outcome.status === "dropped") return;
    const model = this.#options.metrics.model(this.#options.model.name);
    if (outcome.status === "failed") model.interimEnded("failed");
    else model.interimEnded(sent === undefined ? "late" : sent ? "sent" : "withheld");
  }

  /** A final has its outcome, which may have to wait for those before it. */
  settled(asked: Asked, outcome: Outcome): void {
    asked.trace.settled(outcome);
    asked.outcome = outcome;
  }

  /** All finals of a channel that begin before `position` have been answered. */
  answered(channel: number, position: number): void {
    const waiting = this.#asked[channel] ?? [];
    for (let first = waiting[0]; first !== undefined && first.job.start < position; first = waiting[0]) {
      waiting.shift();
      first.trace.resultSent();
      if (first.outcome?.status !== "ok") continue;
      const latencyMs = this.#options.clock() - first.at;
      const lag = Math.max(0, this.#options.received() - first.job.end / this.#rate);
      const sinceSpeechMs = first.silence === undefined ? undefined : first.silence * 1000 + latencyMs;
      this.#metrics.finalSent(latencyMs, lag, sinceSpeechMs, this.trace.traceparent);
    }
  }

  /** The stream is over. @param reason as `stopped` says it, or `vanished` */
  stopped(stream: MeasuredStream, reason: string): void {
    for (const waiting of this.#asked) for (const { trace } of waiting ?? []) trace.resultSent();
    this.#metrics.stopped(stream, reason);
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
