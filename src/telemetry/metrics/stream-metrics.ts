import { sampledTraceId } from "../tracing/traceparent.ts";
import type { MetricFamilies } from "./families/families.ts";
import type { Histogram } from "./histogram.ts";
import type { MetricRegistry } from "./metric-registry.ts";

/** Audio of a stream by its entry in the ledger, in seconds summed over all channels. */
export interface AudioSeconds {
  readonly received: number;
  readonly inferred: number;
  readonly silent: number;
  readonly failed: number;
  /** Received since the start of the oldest pending result. */
  readonly unanswered: number;
}

type CountedSeconds = Omit<AudioSeconds, "unanswered">;

/** An open stream, as the metrics read it. */
export interface MeasuredStream {
  readonly channelCount: number;
  /** It goes on from a checkpoint. */
  readonly isResumed?: boolean;
  readonly audio: AudioSeconds;
}

interface StreamLabels {
  readonly pattern: string;
  readonly model: string;
}

/**
 * Metrics of all streams with the same pattern and model. Audio is read from the streams' ledgers when the metrics are
 * read.
 */
export class StreamMetrics {
  readonly #families: MetricFamilies;
  readonly #labels: StreamLabels;
  readonly #open = new Set<MeasuredStream>();
  /** Audio of streams that have ended. */
  #ended: CountedSeconds = { received: 0, inferred: 0, silent: 0, failed: 0 };
  readonly #speechEndToFinal: Histogram;
  readonly #latency: Histogram;
  readonly #lag: Histogram;

  constructor(registry: MetricRegistry, families: MetricFamilies, labels: StreamLabels) {
    const { results, streams } = families;
    this.#families = families;
    this.#labels = labels;
    this.#speechEndToFinal = results.speechEndToFinal.with({ model: labels.model });
    this.#latency = results.latency.with(labels);
    this.#lag = results.lag.with(labels);
    streams.started.with(labels);
    streams.resumed.with(labels);
    streams.channelsStarted.with(labels);
    registry.onCollect(() => this.#collect());
  }

  started(stream: MeasuredStream): void {
    const { started, resumed, channelsStarted } = this.#families.streams;
    if (stream.isResumed === true) resumed.with(this.#labels).add();
    started.with(this.#labels).add();
    channelsStarted.with(this.#labels).add(stream.channelCount);
    // Last: a stream that a fault has kept from being counted is not stopped either.
    this.#open.add(stream);
  }

  /** @param reason of the event `stopped`, or `vanished` when the client has left */
  stopped(stream: MeasuredStream, reason: string): void {
    if (!this.#open.delete(stream)) return;
    this.#ended = sum(this.#ended, stream.audio);
    this.#families.streams.stopped.with({ ...this.#labels, reason }).add();
  }

  /**
   * Records a final result that has been sent.
   * @param latencyMs time since its audio was complete
   * @param lagSeconds audio received beyond it
   * @param sinceSpeechMs time since the end of its speech; undefined without voice activity detection
   * @param traceparent of the stream
   */
  finalSent(
    latencyMs: number,
    lagSeconds: number,
    sinceSpeechMs: number | undefined,
    traceparent: string | undefined,
  ): void {
    const traceId = sampledTraceId(traceparent);
    this.#latency.observe(latencyMs / 1000, traceId);
    this.#lag.observe(lagSeconds, traceId);
    if (sinceSpeechMs !== undefined) this.#speechEndToFinal.observe(sinceSpeechMs / 1000, traceId);
  }

  #collect(): void {
    const { streams, audio } = this.#families;
    let total = this.#ended;
    let channels = 0;
    let unanswered = 0;
    for (const stream of this.#open) {
      const seconds = stream.audio;
      total = sum(total, seconds);
      channels += stream.channelCount;
      unanswered += seconds.unanswered;
    }
    streams.active.with(this.#labels).set(this.#open.size);
    streams.channelsActive.with(this.#labels).set(channels);
    audio.received.with(this.#labels).value = total.received;
    audio.inferred.with(this.#labels).value = total.inferred;
    audio.silent.with(this.#labels).value = total.silent;
    audio.failed.with(this.#labels).value = total.failed;
    audio.unanswered.with(this.#labels).set(unanswered);
  }
}

function sum(a: CountedSeconds, b: CountedSeconds): CountedSeconds {
  return {
    received: a.received + b.received,
    inferred: a.inferred + b.inferred,
    silent: a.silent + b.silent,
    failed: a.failed + b.failed,
  };
}
