import type { MainThreadTimer } from "../telemetry/metrics/main-thread-timer.ts";
import type { Channels } from "./channels.ts";
import type { Intake } from "./intake.ts";
import type { StreamPlan } from "./plan.ts";
import type { Checkpoints } from "./resume/checkpoints.ts";
import type { StreamTelemetry } from "./stream-telemetry.ts";

/** `done`: all that was offered has been decoded; `full`: results must come first; `no_memory`: the arena is full. */
export type FeedResult = "done" | "full" | "no_memory";

/** Moves a stream's audio from the intake through the pipelines of its channels, as far as there is room. */
export class Feed {
  readonly #plan: StreamPlan;
  readonly #intake: Intake;
  readonly #channels: Channels;
  readonly #telemetry: StreamTelemetry;
  readonly #thread: MainThreadTimer;
  readonly #mayGrow: () => boolean;
  readonly #checkpoints: Checkpoints | undefined;
  /** Samples per channel that the pipelines have seen. */
  #position: number;
  /** A flush waits for the audio in front of it to be decoded. */
  #flush: { readonly marked: boolean } | undefined;

  /**
   * @param mayGrow returns whether the stream may take another slab for each channel now
   * @param checkpoints undefined: the stream has none
   */
  constructor(
    plan: StreamPlan,
    intake: Intake,
    channels: Channels,
    telemetry: StreamTelemetry,
    thread: MainThreadTimer,
    mayGrow: () => boolean,
    checkpoints?: Checkpoints,
  ) {
    this.#plan = plan;
    this.#intake = intake;
    this.#channels = channels;
    this.#telemetry = telemetry;
    this.#thread = thread;
    this.#mayGrow = mayGrow;
    this.#checkpoints = checkpoints;
    this.#position = channels.position;
  }

  /** There is nothing to do. */
  get idle(): boolean {
    return this.#flush === undefined && this.#intake.empty;
  }

  advance(): FeedResult {
    while (!this.#intake.empty) {
      const { room } = this.#channels;
      if (room <= 0) return "full";
      const checkpoints = this.#checkpoints;
      // Decoding pauses where a state is to be saved.
      const fits = checkpoints === undefined ? room : Math.min(room, checkpoints.track.room(this.#position));
      if (!this.#decode(fits)) return "no_memory";
      this.#runPipelines();
      checkpoints?.pause(this.#position);
    }
    if (this.#flush !== undefined) {
      this.#checkpoints?.track.flushed(this.#position);
      this.#channels.flush(this.#flush.marked);
    }
    this.#flush = undefined;
    return "done";
  }

  /** Flushes the channels with the next `advance`, behind all audio offered so far. See `Channel.flush`. */
  flush(marked: boolean): void {
    this.#intake.release();
    this.#flush = { marked };
  }

  /** Adds what the resamplers still owe, at the end of the stream. Returns false when the arena is full. */
  finish(): boolean {
    for (;;) {
      const flushed = this.#intake.flush();
      if (flushed !== "more") return flushed === "done";
      this.#runPipelines();
    }
  }

  /** Decodes a part of the oldest chunk. Returns false when the arena is full. */
  #decode(room: number): boolean {
    if (this.#channels.slabRoom === 0 && !this.#mayGrow()) return false;
    const { trace } = this.#telemetry;
    const outer = this.#thread.enter("decode");
    trace.decodeStarted();
    const decoded = this.#intake.decode(room);
    trace.decodeEnded();
    this.#thread.leave(outer);
    return decoded;
  }

  /** Runs the pipelines on the samples that have been decoded since the last call. */
  #runPipelines(): void {
    const { position } = this.#channels;
    this.#thread.decoded((position - this.#position) / this.#plan.model.sampleRate, this.#channels.count);
    const outer = this.#thread.enter(this.#plan.pattern.usesVad ? "vad" : "cut");
    this.#channels.push(this.#intake);
    this.#position = position;
    this.#thread.leave(outer);
  }
}
