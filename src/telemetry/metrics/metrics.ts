import { Histogram } from "./histogram.ts";
import { Count, Family, Level } from "./instruments.ts";

/** Waits and computing times: 0.5 ms to a minute. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
/** How late a timer comes: 1 ms to 10 s. */
const DELAY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
/** From the end of speech on: it begins with the silence that has to be heard first. */
const SPEECH_SECONDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 30, 60];
const BATCH = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64];
/** The C library takes about a hundred thousandth of the audio's time, and a model may take more than all of it. */
const NATIVE_RTF = [1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 0.01, 0.1, 1];
const MODEL_RTF = [1e-4, 2.5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10];

/** What audio goes through. `vad` is all listening for speech: windows and their decisions. */
export type Stage = "decode" | "vad" | "inference";

export type MetricKind = "counter" | "gauge" | "histogram";

/** One metric with all its series. */
export interface Metric {
  readonly kind: MetricKind;
  readonly family: Family<Count | Level | Histogram>;
}

type Levels<Label extends string> = Family<Level, Label>;

/**
 * Every metric of Streamer, defined once. docs/operations.md says of each what to do when it moves. Nothing here is global: who wants
 * to be measured is given one of these, and `exposition.ts` writes it as text.
 *
 * What can be read off when somebody asks is read by a collector and costs nothing in between.
 */
export class Metrics {
  readonly #metrics: Metric[] = [];
  readonly #levels: Levels<string>[] = [];
  readonly #collectors = new Set<() => void>();

  // Sessions: one connection's conversation each.
  readonly sessionsActive = this.#gauge("streamer_sessions_active", "Connections that are open.");
  readonly sessionsOpened = this.#counter("streamer_sessions_opened_total", "Connections accepted.", ["pattern"]);
  readonly sessionsRefused = this.#counter(
    "streamer_sessions_refused_total",
    "Connections refused before the upgrade, by error code.",
    ["reason"],
  );
  readonly sessionsClosed = this.#counter(
    "streamer_sessions_closed_total",
    "Connections that ended: stop (asked for), client (left with no stream open), vanished (left in the middle of one), draining, or an error code.",
    ["reason"],
  );
  readonly sessionsPaused = this.#gauge(
    "streamer_sessions_paused",
    "Connections that are not read from at the moment.",
  );
  readonly pauses = this.#counter(
    "streamer_pauses_total",
    "Times that a connection was no longer read from, so that TCP holds its client back.",
  );
  readonly pausedSeconds = this.#counter(
    "streamer_paused_seconds_total",
    "Time that connections were not read from, all together.",
  );

  // Streams: start .. stop, one at a time in a session.
  readonly streamsActive = this.#gauge("streamer_streams_active", "Streams that are open.", ["pattern", "model"]);
  readonly streamsStarted = this.#counter("streamer_streams_started_total", "Streams begun.", ["pattern", "model"]);
  readonly streamsRefused = this.#counter("streamer_streams_refused_total", "Starts refused, by error code.", [
    "reason",
  ]);
  readonly streamsStopped = this.#counter(
    "streamer_streams_stopped_total",
    "Streams ended: stop, restart, drain, error, limit (as stopped.reason says it) or vanished (the client was gone).",
    ["pattern", "model", "reason"],
  );
  readonly channelsActive = this.#gauge("streamer_channels_active", "Audio channels of the streams that are open.", [
    "pattern",
    "model",
  ]);
  readonly channelsStarted = this.#counter("streamer_channels_started_total", "Audio channels of the streams begun.", [
    "pattern",
    "model",
  ]);

  // The wire.
  readonly receivedBytes = this.#counter(
    "streamer_received_bytes_total",
    "Payload of messages received: audio or text.",
    ["kind"],
  );
  readonly receivedMessages = this.#counter("streamer_received_messages_total", "Messages received: audio or text.", [
    "kind",
  ]);
  readonly sentBytes = this.#counter("streamer_sent_bytes_total", "Payload of messages sent: audio or text.", ["kind"]);
  readonly sentMessages = this.#counter("streamer_sent_messages_total", "Messages sent: audio or text.", ["kind"]);
  readonly eventsSent = this.#counter("streamer_events_sent_total", "Events sent, by type.", ["type"]);
  readonly errors = this.#counter("streamer_errors_total", "Error events sent, by code.", ["code"]);
  readonly warnings = this.#counter("streamer_warnings_total", "Warning events sent, by code.", ["code"]);

  // Audio, by the ledger: seconds of every channel.
  readonly audioReceived = this.#audio("received", "Audio received, seconds of all channels.");
  readonly audioInferred = this.#audio("inferred", "Audio that final results cover, seconds of all channels.");
  readonly audioSilent = this.#audio("silent", "Audio passed over as silence, seconds of all channels.");
  readonly audioFailed = this.#audio("failed", "Audio that errors stand for, seconds of all channels.");
  readonly audioUnanswered = this.#gauge(
    "streamer_audio_unanswered_seconds",
    "Audio received since the begin of the oldest result that is still owed, seconds of all channels.",
    ["pattern", "model"],
  );

  // Stages: processing seconds / media seconds is the real-time factor.
  readonly processingSeconds = this.#counter(
    "streamer_stage_processing_seconds_total",
    "Time spent on audio by stage; decode and vad are estimated from one message in 16.",
    ["stage"],
  );
  readonly mediaSeconds = this.#counter(
    "streamer_stage_media_seconds_total",
    "Audio that the time of streamer_stage_processing_seconds_total was spent on.",
    ["stage"],
  );
  readonly realTimeFactor = this.#histogram(
    "streamer_stage_real_time_factor",
    "Processing time / audio time, of messages (decode and vad, one in 16) and of calls of the model (inference).",
    (labels) => (labels.stage === "inference" ? MODEL_RTF : NATIVE_RTF),
    ["stage"],
  );

  // The model.
  readonly queueSeconds = this.#histogram(
    "streamer_inference_queue_seconds",
    "How long work waited for a worker.",
    () => SECONDS,
    ["model", "kind"],
  );
  readonly computeSeconds = this.#histogram(
    "streamer_inference_compute_seconds",
    "How long a call of the model took.",
    () => SECONDS,
    ["model", "kind"],
  );
  readonly batchSize = this.#histogram(
    "streamer_inference_batch_size",
    "Pieces of work in one call of the model.",
    () => BATCH,
    ["model"],
  );
  readonly inferenceFailures = this.#counter(
    "streamer_inference_failures_total",
    "Pieces of work without a result, by error code.",
    ["model", "code"],
  );
  readonly inferenceWaiting = this.#gauge(
    "streamer_inference_waiting",
    "Pieces of work that wait for a worker: final or interim.",
    ["model", "kind"],
  );
  readonly interims = this.#counter(
    "streamer_interims_total",
    "Interim results asked for, by what became of them: sent; replaced (a newer one took its place in the queue); stretched (left out, for the one before was still running); overtaken (the final came first); late (answered when it was of no use); withheld (the client reads too slowly); failed; closed (the stream was over).",
    ["model", "fate"],
  );

  // What a client feels.
  readonly speechEndToFinal = this.#histogram(
    "streamer_speech_end_to_final_seconds",
    "From the end of speech, as heard in real time, to the final result: the silence that proves the end, and all that follows.",
    () => SPEECH_SECONDS,
    ["model"],
  );
  readonly resultLatency = this.#histogram(
    "streamer_result_latency_seconds",
    "From the message that completed a piece of audio to its final result, model time included.",
    () => SECONDS,
    ["pattern", "model"],
  );
  readonly resultLag = this.#histogram(
    "streamer_result_lag_seconds",
    "Audio received but not yet answered when a final result was sent.",
    () => SECONDS,
    ["pattern", "model"],
  );

  // Places that wait.
  readonly arenaUsed = this.#gauge("streamer_arena_used_bytes", "Shared audio memory in use.");
  readonly arenaCapacity = this.#gauge("streamer_arena_capacity_bytes", "Shared audio memory, limits.arena_mb.");
  readonly arenaWaiting = this.#gauge("streamer_arena_waiting_streams", "Streams that wait for shared audio memory.");
  readonly inboxBytes = this.#gauge(
    "streamer_inbox_bytes",
    "Received messages that are not decoded yet, all sessions.",
  );
  readonly outboxBytes = this.#gauge("streamer_outbox_bytes", "Results that clients have not taken yet, all sessions.");

  // Workers.
  readonly workers = this.#gauge(
    "streamer_workers",
    "Worker threads: idle, busy or starting (being loaded, or about to be).",
    ["model", "state"],
  );
  readonly workerStarts = this.#counter("streamer_worker_starts_total", "Worker threads started.", ["model"]);
  readonly workerRestarts = this.#counter(
    "streamer_worker_restarts_total",
    "Worker threads started in place of another.",
    ["model"],
  );
  readonly workerDeaths = this.#counter(
    "streamer_worker_deaths_total",
    "Worker threads that ended: error (the model threw where nobody could answer), exit, timeout (terminated past inference_timeout_ms), load (could not be loaded).",
    ["model", "cause"],
  );

  // The run-time.
  readonly loopDelay = this.#histogram(
    "streamer_event_loop_delay_seconds",
    "How late a timer came, looked at 10 times a second.",
    () => DELAY_SECONDS,
  );
  readonly loopUtilization = this.#gauge(
    "streamer_event_loop_utilization_ratio",
    "Share of the last seconds in which the main thread was busy.",
  );
  readonly mainThreadCpu = this.#counter(
    "streamer_main_thread_cpu_seconds_total",
    "Processor time of the main thread.",
  );
  readonly mainThreadSeconds = this.#counter(
    "streamer_main_thread_seconds_total",
    "Time that the main thread spent in Streamer's own code, by what it did; of messages one in 16 is measured.",
    ["stage"],
  );
  readonly blocked = this.#counter(
    "streamer_event_loop_blocked_total",
    "Times that the main thread did one thing for too long, by what it did; other: none of ours.",
    ["stage"],
  );
  readonly blockedSeconds = this.#counter(
    "streamer_event_loop_blocked_seconds_total",
    "Time in which the main thread did one thing for too long.",
    ["stage"],
  );
  readonly collections = this.#counter(
    "streamer_garbage_collections_requested_total",
    "GarbageCollector collections asked for by what has come in: young (in the background) or all. Bun does not tell of its own.",
    ["kind"],
  );
  readonly heap = this.#gauge(
    "streamer_heap_bytes",
    "JavaScript heap: used, capacity, and external (memory that objects hold outside of it).",
    ["kind"],
  );

  // The whole.
  readonly capacity = this.#gauge(
    "streamer_capacity_streams",
    "Estimate of the real-time streams that could be carried, from measured cost, by what runs out: event_loop, processor, workers or sessions (the configured limit). The least counts.",
    ["resource"],
  );
  readonly spans = this.#counter(
    "streamer_spans_total",
    "Spans of traces: recorded, exported, failed. What is in none of the last two waits or was dropped.",
    ["fate"],
  );
  readonly ready = this.#gauge("streamer_ready", "1 while streams are taken, 0 while loading or draining.");
  readonly buildInfo = this.#gauge("streamer_build_info", "1, with the versions of Streamer, its protocol and Bun.", [
    "version",
    "protocol",
    "bun",
  ]);

  /** All metrics, read anew. */
  collect(): readonly Metric[] {
    for (const levels of this.#levels) levels.clear();
    for (const collector of this.#collectors) collector();
    return this.#metrics;
  }

  /** Calls `collector` before metrics are read; all gauges are 0 then, and several collectors may add to one. */
  onCollect(collector: () => void): Disposable {
    this.#collectors.add(collector);
    return { [Symbol.dispose]: () => void this.#collectors.delete(collector) };
  }

  #counter<Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ): Family<Count, Label> {
    return this.#add("counter", new Family<Count, Label>({ name, help, labels }, () => new Count()));
  }

  #gauge<Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ): Family<Level, Label> {
    const family = this.#add("gauge", new Family<Level, Label>({ name, help, labels }, () => new Level()));
    this.#levels.push(family as Levels<string>);
    return family;
  }

  #histogram<Label extends string = never>(
    name: string,
    help: string,
    bounds: (labels: Readonly<Record<Label, string>>) => readonly number[],
    labels: readonly Label[] = [],
  ): Family<Histogram, Label> {
    return this.#add("histogram", new Family({ name, help, labels }, (own) => new Histogram(bounds(own))));
  }

  #audio(what: string, help: string): Family<Count, "pattern" | "model"> {
    return this.#counter(`streamer_audio_${what}_seconds_total`, help, ["pattern", "model"]);
  }

  #add<Series extends Count | Level | Histogram, Label extends string>(
    kind: MetricKind,
    family: Family<Series, Label>,
  ): Family<Series, Label> {
    this.#metrics.push({ kind, family: family as unknown as Family<Count | Level | Histogram> });
    return family;
  }
}

/** The three series of a stage. */
export function stageSeries(metrics: Metrics, stage: Stage) {
  return {
    processing: metrics.processingSeconds.with({ stage }),
    media: metrics.mediaSeconds.with({ stage }),
    factor: metrics.realTimeFactor.with({ stage }),
  };
}
