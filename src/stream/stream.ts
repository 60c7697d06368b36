import { Store } from "../audio/store.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChannelLedger, Stopped, StopReason } from "../protocol/events.ts";
import type { AudioSeconds, MeasuredStream } from "../telemetry/metrics/stream-metrics.ts";
import { Channels } from "./channels.ts";
import { Intake } from "./intake.ts";
import type { Holder } from "./memory.ts";
import type { StreamOwner } from "./owner.ts";
import type { StreamPlan } from "./plan.ts";
import type { Services } from "./services.ts";
import type { StreamTelemetry } from "./stream-telemetry.ts";

/** The services that a stream itself uses. */
export type StreamServices = Pick<Services, "arena" | "memory" | "metrics">;

/**
 * One stream, from its start to its `stopped`: bytes go through the intake into the channels' stores, samples through a
 * pipeline for each channel, jobs to the model, events to the owner. It takes what fits and never waits.
 */
export class Stream implements Holder, MeasuredStream {
  readonly #plan: StreamPlan;
  readonly #owner: StreamOwner;
  readonly #services: StreamServices;
  readonly #telemetry: StreamTelemetry;
  readonly #intake: Intake;
  readonly #channels: Channels;
  /** Samples per channel that the pipelines have seen. */
  #position = 0;
  /** Why no more audio is taken. */
  #ending: StopReason | undefined;
  /** The pipelines have been ended. */
  #ended = false;
  #over = false;

  constructor(plan: StreamPlan, owner: StreamOwner, services: StreamServices, telemetry: StreamTelemetry) {
    this.#plan = plan;
    this.#owner = owner;
    this.#services = services;
    this.#telemetry = telemetry;
    const { format, model } = plan;
    const { arena, memory, metrics } = services;
    const stores = Array.from({ length: format.channels }, () => new Store(arena));
    const intake = new Intake(format, model.sampleRate, arena, stores, (warning) => owner.send(warning));
    this.#intake = intake;
    this.#channels = new Channels(stores, plan, {
      owner,
      arena,
      telemetry,
      thread: metrics.mainThread,
      get receivedSeconds() {
        return intake.seconds;
      },
    });
    memory.enter(this);
    telemetry.started(this);
  }

  get slabs(): number {
    return this.#channels.slabs;
  }

  get channelCount(): number {
    return this.#channels.count;
  }

  get audio(): AudioSeconds {
    return this.#channels.audio(this.#intake.seconds);
  }

  /** Seconds of audio decoded. */
  get decodedSeconds(): number {
    return this.#intake.seconds;
  }

  /** Nothing waits for the model or for memory, and the stream is not being finished. */
  get idle(): boolean {
    return this.#channels.pending === 0 && this.#intake.empty && this.#ending === undefined;
  }

  /** As much is pending as may be: no call that could add to it is allowed. */
  get full(): boolean {
    return this.#channels.full;
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
    const mismatch = this.#intake.offer(bytes);
    if (mismatch === undefined) return;
    this.#owner.send(errorEvent({ code: "format_mismatch", message: mismatch }));
    this.end("error");
  }

  /**
   * Decodes as far as there is room, and finishes the stream when it is ending. Returns true when nothing is left to do
   * now.
   */
  advance(): boolean {
    if (this.#over) return true;
    while (!this.#intake.empty) {
      const { room } = this.#channels;
      if (room <= 0) return false;
      if (!this.#decode(room)) return this.#waitForMemory();
      this.#runPipelines();
    }
    if (this.#ending !== undefined) this.#finish(this.#ending);
    return this.#ending === undefined || this.#over;
  }

  /** Ends the open utterance or partial block of every channel at the current position. */
  flush(): void {
    this.#channels.flush();
  }

  /** Ends the stream: what was offered is processed, all results are sent, then `stopped`. `advance` does it. */
  end(reason: StopReason): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    this.#intake.end();
  }

  /**
   * Ends the stream now: errors of this code name everything that has no answer, which counts as failed. One error is
   * sent even when everything is answered.
   * @param unread bytes of audio that were received but not offered
   * @param metricsReason reason in the metrics
   */
  abort(code: ErrorCode, message: string, reason: StopReason, unread: number, metricsReason: string = reason): void {
    if (this.#over) return;
    this.#telemetry.trace.failed(code, message);
    try {
      this.end(reason);
      this.#intake.discard(unread);
      const reported = this.#channels.abort(this.#intake.totalSamples, code, message);
      if (!reported) this.#owner.send(errorEvent({ code, message }));
      this.#stop(reason, metricsReason);
    } finally {
      this.#free(metricsReason);
    }
  }

  /** Records a fault of the server that ends the stream. */
  crashed(error: unknown): void {
    this.#telemetry.trace.crashed(error);
  }

  /** The account of every channel's samples so far. */
  ledger(): ChannelLedger[] {
    return this.#channels.ledger(this.#intake.frames, this.#intake.totalSamples);
  }

  evict(): void {
    this.#owner.evicted();
  }

  /** Decodes a part of the oldest chunk. Returns false when the arena is full. */
  #decode(room: number): boolean {
    const { mainThread: thread } = this.#services.metrics;
    const { trace } = this.#telemetry;
    const outer = thread.enter("decode");
    trace.decodeStarted();
    const decoded = this.#intake.decode(room);
    trace.decodeEnded();
    thread.leave(outer);
    return decoded;
  }

  #waitForMemory(): false {
    this.#services.memory.wait(this, this.#channels.count, () => this.#owner.progress());
    return false;
  }

  /** Runs the pipelines on the samples that have been decoded since the last call. */
  #runPipelines(): void {
    const { mainThread: thread } = this.#services.metrics;
    const { position } = this.#channels;
    thread.decoded((position - this.#position) / this.#plan.model.sampleRate, this.#channels.count);
    const outer = thread.enter(this.#plan.pattern.usesVad ? "vad" : "cut");
    this.#channels.push();
    this.#position = position;
    thread.leave(outer);
  }

  #finish(reason: StopReason): void {
    if (!this.#ended) {
      const flushed = this.#intake.flush();
      this.#runPipelines();
      if (!flushed) {
        this.#waitForMemory();
        return;
      }
      this.#ended = true;
      this.#channels.end();
    }
    if (this.#channels.pending === 0) this.#stop(reason);
  }

  #stop(reason: StopReason, metricsReason: string = reason): void {
    const { trailingBytes, skippedBytes } = this.#intake;
    const stopped: Stopped = {
      type: "stopped",
      reason,
      channels: this.ledger(),
      trailing_bytes: trailingBytes,
      skipped_bytes: skippedBytes,
    };
    this.#free(metricsReason);
    this.#owner.send(stopped);
  }

  /** Gives everything back; the stream is over. */
  #free(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#telemetry.stopped(this, reason);
    this.#services.memory.leave(this);
    this.#channels[Symbol.dispose]();
    this.#intake[Symbol.dispose]();
  }
}
