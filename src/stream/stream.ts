import type { Arena } from "../audio/arena.ts";
import { Decoder } from "../audio/decoder.ts";
import { Store } from "../audio/store.ts";
import { AudioWarnings } from "../audio/warnings.ts";
import { WavScanner } from "../audio/wav-scanner.ts";
import type { Job, Outcome, ResultAudio } from "../model/job.ts";
import type { Pattern, PatternOptions } from "../pipeline/patterns.ts";
import type { Pipeline, Step } from "../pipeline/pipeline.ts";
import type { Lane } from "../pool/lane.ts";
import { type ErrorCode, errorEvent, ProtocolError } from "../protocol/errors.ts";
import type { ChannelLedger, ServerEvent, Stopped, StopReason } from "../protocol/events.ts";
import { type AudioFormat, sampleFormat } from "../protocol/format.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { AudioSeconds, MeasuredStream } from "../telemetry/metrics/stream-metrics.ts";
import type { StreamTrace } from "../telemetry/tracing/tracing.ts";
import type { Holder, Memory } from "./memory.ts";
import type { ServedModel } from "./services.ts";
import { type Asked, StreamTelemetry } from "./stream-telemetry.ts";

export interface StreamOptions {
  readonly format: AudioFormat;
  readonly pattern: Pattern;
  readonly settings: Omit<PatternOptions, "sampleRate" | "lagMs">;
  /** Add `timing` to each segment. */
  readonly timing: boolean;
  readonly model: ServedModel;
  /** `options` of the start, for the model. */
  readonly modelOptions: unknown;
  readonly trace: StreamTrace;
  readonly metrics: ServerMetrics;
  /** Milliseconds, monotonic. */
  readonly clock: () => number;
  readonly arena: Arena;
  readonly memory: Memory;
  /** Samples that one channel may hold, at the model's rate. */
  readonly budgetSamples: number;
  /** Jobs and markers that one channel may have pending. */
  readonly maxPending: number;
  /** What fairness between streams goes by. */
  readonly session: object;
  /** False: an interim was held back. */
  readonly send: (event: ServerEvent, audio?: ResultAudio) => boolean;
  /** Something has changed that may let the stream go on, or end it. */
  readonly progress: () => void;
  /** A fault of ours while a result was being handled. */
  readonly failed: (error: unknown) => void;
  /** The arena is full for good, and this stream holds most of it. */
  readonly evicted: () => void;
}

interface Channel {
  readonly index: number;
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly lane: Lane;
}

/** Bytes of one message that are being decoded. */
interface Piece {
  readonly bytes: Uint8Array;
  /** Where the audio not decoded yet begins, and where it ends. */
  offset: number;
  readonly end: number;
}

/**
 * One stream, from its start to its `stopped`: bytes go through the decoder into the stores, samples through a pipeline a channel,
 * jobs to the model, events to the client. Takes what fits; never waits.
 */
export class Stream implements Holder, MeasuredStream {
  readonly #options: StreamOptions;
  readonly #seen: StreamTelemetry;
  readonly #wav: WavScanner;
  readonly #warnings: AudioWarnings;
  readonly #decoder: Decoder;
  readonly #channels: Channel[] = [];
  readonly #pieces: Piece[] = [];
  readonly #isFloat: boolean;
  /** Samples per channel that the pipelines have seen. */
  #clock = 0;
  /** Why no more audio is taken. */
  #ending: StopReason | undefined;
  /** The pipelines have been told that the stream ends. */
  #ended = false;
  #over = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    const { format, model, arena } = options;
    this.#seen = new StreamTelemetry({ ...options, received: () => this.#decoder.frames / format.sample_rate });
    const stores = Array.from({ length: format.channels }, () => new Store(arena));
    const encoding = sampleFormat(format);
    this.#isFloat = format.is_float;
    this.#wav = new WavScanner(format);
    this.#warnings = new AudioWarnings(format.sample_rate, format.channels, options.send);
    this.#decoder = new Decoder(
      { sampleFormat: encoding, channels: format.channels, sampleRate: format.sample_rate },
      model.sampleRate,
      arena,
      stores,
      this.#warnings.inspect,
    );
    for (const store of stores) {
      const pipeline = options.pattern.create({
        ...options.settings,
        sampleRate: model.sampleRate,
        ...(options.timing && { lagMs: (position: number) => this.#lagMs(position) }),
      });
      const index = this.#channels.length;
      this.#channels.push({ index, store, pipeline, lane: model.lane(options.session, options.modelOptions) });
    }
    options.memory.enter(this);
    this.#seen.started(this);
  }

  get slabs(): number {
    return this.#channels.reduce((sum, { store }) => sum + store.slabCount, 0);
  }

  get channelCount(): number {
    return this.#channels.length;
  }

  get audio(): AudioSeconds {
    const rate = this.#options.model.sampleRate;
    const received = this.#decoder.frames / this.#options.format.sample_rate;
    const seconds = { received: 0, inferred: 0, silent: 0, failed: 0, unanswered: 0 };
    for (const { pipeline } of this.#channels) {
      const { inferred, silent, failed } = pipeline.tally;
      seconds.received += received;
      seconds.inferred += inferred / rate;
      seconds.silent += silent / rate;
      seconds.failed += failed / rate;
      if (pipeline.pending > 0) seconds.unanswered += Math.max(0, received - pipeline.needed / rate);
    }
    return seconds;
  }

  /** Results that are owed to the client. */
  get pending(): number {
    let sum = 0;
    for (const { pipeline } of this.#channels) sum += pipeline.pending;
    return sum;
  }

  /** The client has got all that it can expect so far: nothing waits for the model, for memory, or to be finished. */
  get idle(): boolean {
    return this.pending === 0 && this.#pieces.length === 0 && this.#ending === undefined;
  }

  /** As much is pending as may be: nothing that could add to it is to be called. */
  get full(): boolean {
    return this.#channels.some(({ pipeline }) => pipeline.pending >= this.#options.maxPending);
  }

  /** `stopped` has been sent. */
  get over(): boolean {
    return this.#over;
  }

  /** No more audio is taken: the stream is being finished. */
  get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** Takes a message of audio; `advance` decodes it. */
  offer(bytes: Uint8Array): void {
    const scan = this.#wav.scan(bytes);
    if (scan.withheld.length > 0) this.#pieces.push({ bytes: scan.withheld, offset: 0, end: scan.withheld.length });
    if (scan.end > scan.start) this.#pieces.push({ bytes, offset: scan.start, end: scan.end });
    if (scan.skippedHeader) this.#warnings.report("wav_header");
    if (scan.mismatch !== undefined) {
      this.#options.send(errorEvent(new ProtocolError("format_mismatch", scan.mismatch)));
      this.end("error");
    }
  }

  /** Decodes what was offered as far as there is room, and finishes the stream when it is ending. True: nothing is left to do now. */
  advance(): boolean {
    if (this.#over) return true;
    while (this.#pieces[0] !== undefined) {
      if (!this.#decode(this.#pieces[0])) return false;
      this.#pieces.shift();
    }
    if (this.#ending !== undefined) this.#finish(this.#ending);
    return this.#ending === undefined || this.#over;
  }

  /** Ends the open utterance or partial block of every channel at the place where the stream is. */
  flush(): void {
    for (const channel of this.#channels) this.#follow(channel, channel.pipeline.flush());
  }

  /** Ends the stream: what was offered is processed, all results are sent, then `stopped`. `advance` does it. */
  end(reason: StopReason): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    const held = this.#wav.end();
    if (held.length > 0) this.#pieces.push({ bytes: held, offset: 0, end: held.length });
  }

  /**
   * Ends the stream now: everything that is not answered is named by errors of this code and counted as failed.
   * Without anything like that, one error is sent all the same.
   * @param unread bytes of audio that were received but not offered
   * @param counted what the metrics call the reason
   */
  abort(code: ErrorCode, message: string, reason: StopReason, unread: number, counted: string = reason): void {
    if (this.#over) return;
    this.#seen.trace.failed(code, message);
    try {
      this.end(reason);
      const undecoded = this.#pieces.reduce((sum, { offset, end }) => sum + end - offset, unread);
      this.#decoder.discard(undecoded);
      let told = false;
      for (const channel of this.#channels) {
        const { events } = channel.pipeline.abort(this.#decoder.totalSamples, code, message);
        told ||= events.some(({ type }) => type === "error");
        this.#follow(channel, { events, jobs: [] });
      }
      if (!told) this.#options.send(errorEvent(new ProtocolError(code, message)));
      this.#stop(reason, counted);
    } finally {
      this.#free(counted);
    }
  }

  /** A fault of ours, which ends the stream. */
  crashed(error: unknown): void {
    this.#seen.trace.crashed(error);
  }

  /** What became of every channel's samples so far. */
  ledger(): ChannelLedger[] {
    return this.#channels.map(({ pipeline }, channel) => ({
      channel,
      received: this.#decoder.frames,
      received_rate: this.#options.format.sample_rate,
      decoded: this.#decoder.totalSamples,
      ...pipeline.tally,
    }));
  }

  evict(): void {
    this.#options.evicted();
  }

  /** True: all bytes of the piece are decoded. False: no room now. */
  #decode(piece: Piece): boolean {
    while (piece.offset < piece.end) {
      const room = this.#room();
      if (room <= 0) return false;
      const outer = this.#options.metrics.mainThread.enter("decode");
      this.#seen.trace.decodeStarted();
      const taken = this.#decoder.push(piece.bytes, piece.offset, room, piece.end);
      this.#seen.trace.decodeEnded();
      this.#options.metrics.mainThread.leave(outer);
      if (taken === 0) return this.#starve();
      piece.offset += taken;
      this.#hear();
    }
    return true;
  }

  /** Samples that may be decoded before the budget of one channel is used up, or none while too much is pending. */
  #room(): number {
    let room = this.#options.budgetSamples;
    for (const { store, pipeline } of this.#channels) {
      if (pipeline.pending >= this.#options.maxPending) return 0;
      room = Math.min(room, this.#options.budgetSamples - store.retained);
    }
    return room;
  }

  #starve(): false {
    this.#options.memory.wait(this, this.#channels.length, this.#options.progress);
    return false;
  }

  /** Shows the pipelines what the stores have got since the last time. */
  #hear(): void {
    if (this.#isFloat) this.#warnings.reportConversion(this.#decoder.flags);
    const { arena, metrics, model, pattern } = this.#options;
    const { samples } = arena;
    const end = this.#channels[0]?.store.end ?? 0;
    metrics.mainThread.decoded((end - this.#clock) / model.sampleRate, this.#channels.length);
    const outer = metrics.mainThread.enter(pattern.usesVad ? "vad" : "cut");
    for (const channel of this.#channels) {
      const { store, pipeline } = channel;
      for (let at = this.#clock; at < store.end;) {
        const length = store.runLength(at);
        const step = pipeline.push(samples, store.indexOf(at), length);
        at += length;
        this.#follow(channel, step);
      }
    }
    this.#clock = end;
    metrics.mainThread.leave(outer);
  }

  #finish(reason: StopReason): void {
    if (!this.#ended) {
      const flushed = this.#decoder.flush();
      this.#hear();
      if (!flushed) {
        this.#starve();
        return;
      }
      this.#ended = true;
      for (const channel of this.#channels) this.#follow(channel, channel.pipeline.end());
    }
    if (this.pending === 0) this.#stop(reason);
  }

  /** Whether the last event was sent; undefined: there was none. */
  #follow(channel: Channel, step: Step): boolean | undefined {
    const { index } = channel;
    let sent: boolean | undefined;
    for (const said of step.events) {
      const { resultAudio, ...event } = said;
      this.#seen.said(index, said);
      sent = this.#options.send({ ...event, channel: index } as ServerEvent, resultAudio);
    }
    for (const job of step.jobs) this.#submit(channel, job);
    channel.store.release(Math.min(channel.pipeline.needed, channel.store.end));
    return sent;
  }

  #submit(channel: Channel, job: Job): void {
    const audio = channel.store.span(job.start, job.end);
    const asked = this.#seen.asked(channel.index, job, channel.store.end);
    const { traceparent } = asked.trace;
    channel.lane.submit({ ...job, audio, traceparent }, (outcome) => {
      this.#resolved(channel, asked, outcome);
    });
  }

  #resolved(channel: Channel, asked: Asked, outcome: Outcome): void {
    if (this.#over) return;
    const { mainThread } = this.#options.metrics;
    const outer = mainThread.enter("result");
    try {
      this.#take(channel, asked, outcome);
    } catch (error) {
      this.#options.failed(error);
    }
    this.#options.progress();
    mainThread.leave(outer);
  }

  #take(channel: Channel, asked: Asked, outcome: Outcome): void {
    const { pipeline, index } = channel;
    if (asked.job.kind === "final") this.#seen.settled(asked, outcome);
    const sent = this.#follow(channel, pipeline.resolved(asked.job, outcome));
    if (asked.job.kind === "final") this.#seen.answered(index, pipeline.pending === 0 ? Infinity : pipeline.needed);
    else this.#seen.interim(asked, outcome, sent);
  }

  #stop(reason: StopReason, counted: string = reason): void {
    const stopped: Stopped = {
      type: "stopped",
      reason,
      channels: this.ledger(),
      trailing_bytes: this.#decoder.trailingBytes,
      skipped_bytes: this.#wav.skippedBytes,
    };
    this.#free(counted);
    this.#options.send(stopped);
  }

  /** Gives everything back; the stream is over. */
  #free(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#seen.stopped(this, reason);
    this.#options.memory.leave(this);
    for (const { store, pipeline, lane } of this.#channels) {
      lane.close();
      pipeline[Symbol.dispose]();
      store[Symbol.dispose]();
    }
    this.#decoder[Symbol.dispose]();
    this.#warnings[Symbol.dispose]();
  }

  #lagMs(position: number): number {
    const received = this.#decoder.frames / this.#options.format.sample_rate;
    return Math.max(0, (received - position / this.#options.model.sampleRate) * 1000);
  }
}
