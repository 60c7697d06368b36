import type { Metrics } from "./metrics.ts";

/** Seconds of all channels. */
export interface AudioSeconds {
  readonly received: number;
  readonly inferred: number;
  readonly silent: number;
  readonly failed: number;
  /** Since the begin of the oldest result that is owed. */
  readonly unanswered: number;
}

/** A stream as the metrics see it, when they are read. */
export interface MeasuredStream {
  readonly channelCount: number;
  readonly audio: AudioSeconds;
}

/** The streams of one pattern and model. What they have heard is read off their ledgers when somebody asks. */
export class StreamMetrics {
  readonly #metrics: Metrics;
  readonly #labels: { readonly pattern: string; readonly model: string };
  readonly #open = new Set<MeasuredStream>();
  /** Of streams that are over. */
  #past: Omit<AudioSeconds, "unanswered"> = { received: 0, inferred: 0, silent: 0, failed: 0 };
  readonly #speechEndToFinal;
  readonly #latency;
  readonly #lag;

  constructor(metrics: Metrics, pattern: string, model: string) {
    this.#metrics = metrics;
    this.#labels = { pattern, model };
    this.#speechEndToFinal = metrics.speechEndToFinal.with({ model });
    this.#latency = metrics.resultLatency.with(this.#labels);
    this.#lag = metrics.resultLag.with(this.#labels);
    metrics.streamsStarted.with(this.#labels);
    metrics.channelsStarted.with(this.#labels);
    metrics.onCollect(() => this.#collect());
  }

  started(stream: MeasuredStream): void {
    this.#open.add(stream);
    this.#metrics.streamsStarted.with(this.#labels).add();
    this.#metrics.channelsStarted.with(this.#labels).add(stream.channelCount);
  }

  /** @param reason as `stopped` says it, or `vanished` */
  stopped(stream: MeasuredStream, reason: string): void {
    if (!this.#open.delete(stream)) return;
    this.#past = sum(this.#past, stream.audio);
    this.#metrics.streamsStopped.with({ ...this.#labels, reason }).add();
  }

  /**
   * A final result has been sent.
   * @param latencyMs since its audio was complete
   * @param lagSeconds audio received beyond it
   * @param sinceSpeechMs since the end of the speech in it; undefined: the pattern does not hear speech
   */
  finalSent(
    latencyMs: number,
    lagSeconds: number,
    sinceSpeechMs: number | undefined,
    traceId: string | undefined,
  ): void {
    this.#latency.observe(latencyMs / 1000, traceId);
    this.#lag.observe(lagSeconds, traceId);
    if (sinceSpeechMs !== undefined) this.#speechEndToFinal.observe(sinceSpeechMs / 1000, traceId);
  }

  #collect(): void {
    const { streamsActive, channelsActive, audioUnanswered } = this.#metrics;
    let audio = this.#past;
    let channels = 0;
    let unanswered = 0;
    for (const stream of this.#open) {
      const own = stream.audio;
      audio = sum(audio, own);
      channels += stream.channelCount;
      unanswered += own.unanswered;
    }
    streamsActive.with(this.#labels).set(this.#open.size);
    channelsActive.with(this.#labels).set(channels);
    audioUnanswered.with(this.#labels).set(unanswered);
    this.#metrics.audioReceived.with(this.#labels).value = audio.received;
    this.#metrics.audioInferred.with(this.#labels).value = audio.inferred;
    this.#metrics.audioSilent.with(this.#labels).value = audio.silent;
    this.#metrics.audioFailed.with(this.#labels).value = audio.failed;
  }
}

function sum<Seconds extends Omit<AudioSeconds, "unanswered">>(a: Seconds, b: Omit<AudioSeconds, "unanswered">) {
  return {
    received: a.received + b.received,
    inferred: a.inferred + b.inferred,
    silent: a.silent + b.silent,
    failed: a.failed + b.failed,
  };
}
