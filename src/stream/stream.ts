import { Store } from "../audio/store.ts";
import type { StreamLoad } from "../capacity/stream-load.ts";
import { errorEvent } from "../protocol/error-event.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChannelLedger, ErrorEvent, Stopped, StopReason } from "../protocol/events.ts";
import type { AudioSeconds, MeasuredStream } from "../telemetry/metrics/stream-metrics.ts";
import { Channels } from "./channels.ts";
import { Feed } from "./feed.ts";
import { Intake } from "./intake.ts";
import { MemoryPlace } from "./memory-place.ts";
import type { StreamOwner } from "./owner.ts";
import { demandOf, type StreamPlan } from "./plan.ts";
import { QuietTimer } from "./quiet-timer.ts";
import type { ServedModel, Services } from "./services.ts";
import type { StreamTelemetry } from "./stream-telemetry.ts";

/** The services that a stream itself uses. */
export type StreamServices = Pick<Services, "arena" | "memory" | "metrics" | "admission" | "clock">;

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
  readonly #owner: StreamOwner;
  readonly #place: MemoryPlace;
  readonly #load: StreamLoad | undefined;
  /** Everything to give back. */
  readonly #held: DisposableStack;
  readonly #telemetry: StreamTelemetry;
  readonly #intake: Intake;
  readonly #channels: Channels;
  readonly #feed: Feed;
  readonly #model: ServedModel;
  /** Undefined: the client did not ask for it. */
  readonly #quiet: QuietTimer | undefined;
  /** Why no more audio is taken. */
  #ending: StopReason | undefined;
  /** The error to send before `stopped`: why the server ends the stream. */
  #last: ErrorEvent | undefined;
  /** The pipelines have been ended. */
  #ended = false;
  #over = false;

  constructor(plan: StreamPlan, owner: StreamOwner, services: StreamServices, telemetry: StreamTelemetry) {
    this.#owner = owner;
    this.#telemetry = telemetry;
    const { format, model, flushAfterMs } = plan;
    const { arena, memory, metrics, admission, clock } = services;
    using held = new DisposableStack();
    const stores = Array.from({ length: format.channels }, () => new Store(arena));
    const intake = new Intake(format, model.sampleRate, arena, stores, (warning) => owner.send(warning));
    held.use(intake);
    this.#intake = intake;
    this.#model = model;
    this.#quiet = flushAfterMs > 0 ? new QuietTimer(flushAfterMs) : undefined;
    this.#channels = new Channels(stores, plan, {
      owner,
      arena,
      telemetry,
      thread: metrics.mainThread,
      submitted: () => this.#load?.submitted(clock()),
      settled: ({ submittedAt }, outcome) => this.#load?.settled(outcome, submittedAt, clock()),
      get receivedSeconds() {
        return intake.seconds;
      },
    });
    held.use(this.#channels);
    const { detectors } = this.#channels;
    if (detectors !== undefined) intake.detect(detectors);
    const place = new MemoryPlace(memory, this.#channels, owner);
    held.defer(() => place.leave());
    this.#place = place;
    this.#feed = new Feed(plan, intake, this.#channels, telemetry, metrics.mainThread, () => place.mayGrow());
    const { headroom } = admission;
    const source = { slabs: () => place.slabs, answeredSeconds: () => place.answered / model.sampleRate };
    const load = (this.#load = headroom.enter(demandOf(plan), source, clock()));
    held.defer(() => headroom.leave(load));
    telemetry.started(this);
    this.#held = held.move();
  }

  /** All jobs of the stream fail, because its model has no worker and gets none. */
  get isHopeless(): boolean {
    return this.#model.isDown === true;
  }

  /** Bytes of jobs without a result, and of results that wait for earlier ones. */
  get queuedBytes(): number {
    return this.#channels.queuedBytes;
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

  /** All that was offered has been processed, as far as it can be, and more may be offered. */
  get ready(): boolean {
    return this.#feed.idle && this.#ending === undefined;
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
    this.#quiet?.restart();
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
    const fed = this.#feed.advance();
    if (fed === "no_memory") this.#place.wait();
    if (fed !== "done") return false;
    if (this.#ending !== undefined) this.#finish(this.#ending);
    return this.#ending === undefined || this.#over;
  }

  /** Ends the open utterance or partial block of every channel behind what was offered; `flushed` follows. */
  flush(): void {
    this.#feed.flush(true);
    this.advance();
  }

  /** `flushIfQuiet` must be called about ten times a second. */
  get watched(): boolean {
    return this.#quiet !== undefined && this.#ending === undefined;
  }

  /** Flushes, without `flushed`, if the client has sent no audio for the time of its start. See `QuietTimer`. */
  flushIfQuiet(now: number, receivedAt: number, reading: boolean): void {
    if (this.#quiet === undefined || this.#ending !== undefined) return;
    if (!this.#quiet.fires(now, receivedAt, reading && this.#intake.empty && !this.full)) return;
    this.#feed.flush(false);
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
    this.#place.end();
    this.#intake.end();
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
      this.#intake.discard(unread);
      const reported = this.#channels.abort(this.#intake.totalSamples, code, message);
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
    return this.#channels.ledger(this.#intake.frames, this.#intake.totalSamples);
  }

  #finish(reason: StopReason): void {
    if (!this.#ended) {
      if (!this.#feed.finish()) return this.#place.wait();
      this.#ended = true;
      this.#channels.end();
    }
    if (this.#channels.pending > 0) return;
    if (this.#last !== undefined) this.#telemetry.trace.failed(this.#last.code, this.#last.message);
    this.#stop(reason);
  }

  #stop(reason: StopReason, metricsReason: string = reason): void {
    const { trailingBytes: trailing_bytes, skippedBytes: skipped_bytes } = this.#intake;
    const stopped: Stopped = { type: "stopped", reason, channels: this.ledger(), trailing_bytes, skipped_bytes };
    if (this.#last !== undefined) this.#owner.send(this.#last);
    this.#free(metricsReason);
    this.#owner.send(stopped);
  }

  /** Gives everything back; the stream is over. */
  #free(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    using held = this.#held;
    held.defer(() => this.#telemetry.stopped(this, reason));
  }
}
