import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChannelLedger, ErrorEvent, Stopped, StopReason } from "../protocol/events.ts";
import type { AudioSeconds, MeasuredStream } from "../telemetry/metrics/stream-metrics.ts";
import type { StreamOwner } from "./owner.ts";
import { openParts, type StreamParts, type StreamServices } from "./parts.ts";
import type { StreamPlan } from "./plan.ts";
import { QuietTimer } from "./quiet-timer.ts";
import type { Resumable } from "./resume/resumable.ts";
import type { ServedModel } from "./services.ts";
import type { StreamTelemetry } from "./stream-telemetry.ts";

/** The end of a stream with errors for everything that has no answer. */
export interface Abort {
  readonly code: ErrorCode;
  readonly message: string;
  /** Reason of `stopped`. */
  readonly reason: StopReason;
  /** Reason in the metrics; default: `reason`. */
  readonly metricsReason?: string | undefined;
  /** Error before `stopped`. Undefined: an error of `code` is sent there if no other has been. */
  readonly last?: ErrorEvent | undefined;
}

/**
 * One stream, from its start to its `stopped`: bytes go through the intake into the channels' stores, samples through a
 * pipeline for each channel, jobs to the model, events to the owner. It takes what fits and never waits.
 */
export class Stream implements MeasuredStream {
  readonly isResumed: boolean;
  readonly #owner: StreamOwner;
  readonly #parts: StreamParts;
  /** Everything to give back. */
  readonly #held: DisposableStack;
  readonly #telemetry: StreamTelemetry;
  readonly #model: ServedModel;
  readonly #resumable: Resumable | undefined;
  /** Undefined: the client did not ask for it. */
  readonly #quiet: QuietTimer | undefined;
  /** Why no more audio is taken. */
  #ending: StopReason | undefined;
  /** The error to send before `stopped`: why the server ends the stream. */
  #last: ErrorEvent | undefined;
  /** The pipelines have been ended. */
  #ended = false;
  #over = false;

  /** @param resumable undefined: it cannot be resumed. Throws ProtocolError when it cannot go on from its state. */
  constructor(
    plan: StreamPlan,
    owner: StreamOwner,
    services: StreamServices,
    telemetry: StreamTelemetry,
    resumable?: Resumable,
  ) {
    this.#owner = owner;
    this.#telemetry = telemetry;
    this.#model = plan.model;
    this.#resumable = resumable;
    this.isResumed = resumable?.state !== undefined;
    this.#quiet = plan.flushAfterMs > 0 ? new QuietTimer(plan.flushAfterMs) : undefined;
    this.#parts = openParts(plan, owner, services, telemetry, resumable);
    using held = this.#parts.held;
    telemetry.started(this);
    this.#held = held.move();
  }

  /** All jobs of the stream fail, because its model has no worker and gets none. */
  get isHopeless(): boolean {
    return this.#model.isDown === true;
  }

  /** Bytes of jobs without a result, and of results that wait for earlier ones. */
  get queuedBytes(): number {
    return this.#parts.channels.queuedBytes;
  }

  get channelCount(): number {
    return this.#parts.channels.count;
  }

  get audio(): AudioSeconds {
    return this.#parts.channels.audio(this.#parts.intake.seconds);
  }

  /** Seconds of audio decoded. */
  get decodedSeconds(): number {
    return this.#parts.intake.seconds;
  }

  /** Nothing waits for the model or for memory, and the stream is not being finished. */
  get idle(): boolean {
    return this.#parts.channels.pending === 0 && this.#parts.intake.empty && this.#ending === undefined;
  }

  /** All that was offered has been processed, as far as it can be, and more may be offered. */
  get ready(): boolean {
    return this.#parts.feed.idle && this.#ending === undefined;
  }

  /** As much is pending as may be: no call that could add to it is allowed. */
  get full(): boolean {
    return this.#parts.channels.full;
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
    this.#quiet?.restart();
    const mismatch = this.#parts.intake.offer(bytes);
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
    const fed = this.#parts.feed.advance();
    if (fed === "no_memory") this.#parts.place.wait();
    if (fed !== "done") {
      this.#parts.checkpoints?.look();
      return false;
    }
    if (this.#ending !== undefined) this.#finish(this.#ending);
    if (!this.#over) this.#parts.checkpoints?.look();
    return this.#ending === undefined || this.#over;
  }

  /** Ends the open utterance or partial block of every channel behind what was offered; `flushed` follows. */
  flush(): void {
    this.#parts.feed.flush(true);
    this.advance();
  }

  /** `tick` must be called about ten times a second. */
  get watched(): boolean {
    if (this.#over) return false;
    return this.#parts.checkpoints !== undefined || (this.#quiet !== undefined && this.#ending === undefined);
  }

  /**
   * Sends a checkpoint that is due, and flushes, without `flushed`, if the client has sent no audio for the time of its
   * start. See `QuietTimer`.
   * @param now milliseconds @param receivedAt time of the client's last message @param reading no message may wait unread
   */
  tick(now: number, receivedAt: number, reading: boolean): void {
    if (this.#over) return;
    this.#parts.checkpoints?.tick(now);
    if (this.#quiet === undefined || this.#ending !== undefined) return;
    if (!this.#quiet.fires(now, receivedAt, reading && this.#parts.intake.empty && !this.full)) return;
    this.#parts.feed.flush(false);
    this.advance();
  }

  /**
   * Ends the stream: what was offered is processed, all results are sent, then `stopped`. `advance` does it.
   * @param last error to send before `stopped`
   */
  end(reason: StopReason, last?: ErrorEvent): void {
    if (this.#ending !== undefined) return;
    this.#ending = reason;
    this.#last = last;
    this.#parts.place.end();
    this.#parts.intake.end();
  }

  /**
   * Ends the stream now: errors name everything that has no answer, which counts as failed.
   * @param unread bytes of audio that were received but not offered
   */
  abort({ code, message, reason, metricsReason = reason, last }: Abort, unread: number): void {
    if (this.#over) return;
    this.#telemetry.trace.failed(code, message);
    try {
      this.end(reason);
      this.#parts.intake.discard(unread);
      this.#parts.intake.discardTo(this.#parts.channels.furthestAnswered);
      const reported = this.#parts.channels.abort(this.#parts.intake.totalSamples, code, message);
      this.#last = last ?? (reported ? undefined : errorEvent({ code, message }));
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
    return this.#parts.channels.ledger(this.#parts.intake.frames, this.#parts.intake.totalSamples);
  }

  #finish(reason: StopReason): void {
    if (!this.#ended) {
      if (!this.#parts.feed.finish()) return this.#parts.place.wait();
      this.#ended = true;
      this.#parts.channels.end();
    }
    if (this.#parts.channels.pending > 0) return;
    this.#nameMissing();
    if (this.#last !== undefined) this.#telemetry.trace.failed(this.#last.code, this.#last.message);
    this.#stop(reason);
  }

  /** A resumed stream has ended before the frames that were answered before came again: errors name what is missing. */
  #nameMissing(): void {
    const { intake, channels } = this.#parts;
    if (intake.totalSamples >= channels.furthestAnswered) return;
    intake.discardTo(channels.furthestAnswered);
    const message = "the stream was resumed, but its frames from the checkpoint on were not all sent again";
    channels.abort(intake.totalSamples, "invalid_request", message);
  }

  #stop(reason: StopReason, metricsReason: string = reason): void {
    const { trailingBytes: trailing_bytes, skippedBytes: skipped_bytes } = this.#parts.intake;
    const stopped: Stopped = { type: "stopped", reason, channels: this.ledger(), trailing_bytes, skipped_bytes };
    if (this.#last !== undefined) this.#owner.send(this.#last);
    using rest = new DisposableStack();
    rest.defer(() => void this.#owner.send(stopped));
    this.#free(metricsReason);
  }

  /** Gives everything back; the stream is over. */
  #free(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    using held = this.#held;
    held.defer(() => this.#resumable?.release());
    held.defer(() => this.#telemetry.stopped(this, reason));
  }
}
