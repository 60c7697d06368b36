import { Arena } from "../audio/arena.ts";
import type { Store } from "../audio/store.ts";
import type { EnergyVad } from "../native/vad.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ChannelLedger } from "../protocol/events.ts";
import { warningEvent } from "../protocol/warning-event.ts";
import type { AudioSeconds } from "../telemetry/metrics/stream-metrics.ts";
import { Channel, type ChannelHost } from "./channel.ts";
import type { Intake } from "./intake.ts";
import type { StreamOwner } from "./owner.ts";
import type { StreamPlan } from "./plan.ts";
import type { ChannelState, ResumeState } from "./resume/resume-state.ts";
import type { Snapshot } from "./resume/snapshots.ts";

/** Slabs of a channel in which nobody speaks, at most: the pre-roll and the current window. */
const SHORT_SLABS = 2;

/** All channels of one stream. They are decoded together, so that they are at the same position between two calls. */
export class Channels implements Disposable {
  readonly #plan: StreamPlan;
  readonly #channels: readonly Channel[];
  /** The same. */
  readonly #opened: DisposableStack;
  readonly #owner: StreamOwner;
  /** The account of the stream that this one goes on from, in seconds. */
  readonly #before: AudioSeconds | undefined;
  /** A suspicion has been reported. */
  #warned: boolean;

  /**
   * @param stores one for each channel, empty
   * @param resumed the state to go on from. Throws InvalidState; nothing is held then.
   */
  constructor(stores: readonly Store[], plan: StreamPlan, host: ChannelHost, resumed?: ResumeState) {
    this.#plan = plan;
    this.#owner = host.owner;
    this.#warned = resumed?.reported.suspicion ?? false;
    using opened = new DisposableStack();
    this.#channels = stores.map((store, index) =>
      opened.use(new Channel(index, store, plan, host, resumed?.channels[index])),
    );
    if (resumed !== undefined) this.#before = this.#sum(resumed.frames / plan.format.sample_rate);
    this.#opened = opened.move();
  }

  get count(): number {
    return this.#channels.length;
  }

  /** Samples between two positions at which the state can be saved. See `Pipeline.grid`. */
  get grid(): number {
    return this.#channels[0]?.grid ?? 1;
  }

  /** A suspicion has been reported. */
  get warned(): boolean {
    return this.#warned;
  }

  /** Up to where a channel is answered, the one that is furthest. */
  get furthestAnswered(): number {
    let most = 0;
    for (const { answered } of this.#channels) most = Math.max(most, answered);
    return most;
  }

  /** Returns the state of every channel at this position, for a checkpoint that may come later. */
  save(): Snapshot["channels"] {
    return this.#channels.map((channel) => channel.save());
  }

  /** Returns the state at a snapshot with what has been answered and sent until now. */
  state({ channels }: Snapshot): ChannelState[] {
    return channels.map((saved, index) => this.#channels[index]!.state(saved));
  }

  /** Samples decoded per channel. */
  get position(): number {
    return this.#channels[0]?.store.end ?? 0;
  }

  /** Slabs of the arena that the channels hold. */
  get slabs(): number {
    return this.#channels.reduce((sum, { store }) => sum + store.slabCount, 0);
  }

  /** Of these, slabs that become free when all jobs have been answered. */
  get releasableSlabs(): number {
    return this.#channels.reduce((sum, channel) => sum + channel.releasableSlabs, 0);
  }

  /** Slabs that the channels may take until their open utterances or blocks have to end, at most. */
  get remainingSlabs(): number {
    const { prepared, model } = this.#plan;
    const longest = (prepared.holdsMs * model.sampleRate) / 1000;
    let sum = 0;
    for (const { openSamples } of this.#channels) {
      // In silence a slab is given back soon after it was taken.
      const isShort = openSamples <= SHORT_SLABS * Arena.SLAB_SAMPLES;
      sum += isShort ? 1 : Math.max(1, Math.ceil((longest - openSamples) / Arena.SLAB_SAMPLES));
    }
    return sum;
  }

  /** Samples that can be decoded, in every channel, before another slab is needed. */
  get slabRoom(): number {
    return this.#channels[0]?.store.room ?? 0;
  }

  /** Samples of every channel that are in answers, or silence. */
  get answered(): number {
    let least = this.position;
    for (const { unanswered } of this.#channels) least = Math.min(least, unanswered);
    return least;
  }

  /** Samples of every channel of which nothing is held any more. */
  get released(): number {
    let least = this.position;
    for (const { needed } of this.#channels) least = Math.min(least, needed);
    return least;
  }

  /** Results and markers that the client has not got yet. */
  get pending(): number {
    let sum = 0;
    for (const channel of this.#channels) sum += channel.pending;
    return sum;
  }

  /** Bytes of jobs without a result, and of results that wait for earlier ones. */
  get queuedBytes(): number {
    return this.#channels.reduce((sum, channel) => sum + channel.queuedBytes, 0);
  }

  /** A channel has as much pending as it may. */
  get full(): boolean {
    return this.#channels.some(({ pending }) => pending >= this.#plan.maxPending);
  }

  /** Samples that may be decoded before a channel's budget is used up; 0 while too much is pending. */
  get room(): number {
    const { budgetSamples, maxPending } = this.#plan;
    let room = budgetSamples;
    for (const { store, pending } of this.#channels) {
      if (pending >= maxPending) return 0;
      room = Math.min(room, budgetSamples - store.retained);
    }
    return room;
  }

  /** The detectors of all channels, for the decoder to run; undefined: they are run here, or there are none. */
  get detectors(): EnergyVad[] | undefined {
    const detectors = this.#channels.map(({ detector }) => detector).filter((detector) => detector !== undefined);
    return detectors.length === this.#channels.length ? detectors : undefined;
  }

  /** Runs the pipelines on the samples decoded since the last call, which are one run of each store. */
  push(intake: Intake): void {
    for (const channel of this.#channels) channel.push(intake.windows(channel.index));
    this.#warn();
  }

  /** Ends the open utterance or partial block of every channel at the current position. See `Channel.flush`. */
  flush(marked: boolean): void {
    for (const channel of this.#channels) channel.flush(marked);
  }

  /** Ends the pipelines. */
  end(): void {
    for (const channel of this.#channels) channel.end();
    this.#warn();
  }

  /** Answers everything that is open with errors. Returns true when at least one was sent. See `Channel.abort`. */
  abort(end: number, code: ErrorCode, message: string): boolean {
    let reported = false;
    for (const channel of this.#channels) if (channel.abort(end, code, message)) reported = true;
    return reported;
  }

  /**
   * The account of every channel's samples.
   * @param received whole frames at the client's rate
   * @param decoded samples at the model's rate that these come to
   */
  ledger(received: number, decoded: number): ChannelLedger[] {
    const received_rate = this.#plan.format.sample_rate;
    return this.#channels.map(({ tally, index }) => ({ channel: index, received, received_rate, decoded, ...tally }));
  }

  /**
   * The same in seconds of all channels together, without what the stream before had.
   * @param received seconds of audio received
   */
  audio(received: number): AudioSeconds {
    const sum = this.#sum(received);
    const before = this.#before;
    if (before === undefined) return sum;
    return {
      received: Math.max(0, sum.received - before.received),
      inferred: Math.max(0, sum.inferred - before.inferred),
      silent: Math.max(0, sum.silent - before.silent),
      failed: Math.max(0, sum.failed - before.failed),
      unanswered: sum.unanswered,
    };
  }

  #sum(received: number): AudioSeconds {
    const rate = this.#plan.model.sampleRate;
    const seconds = { received: 0, inferred: 0, silent: 0, failed: 0, unanswered: 0 };
    for (const { tally, pending, needed } of this.#channels) {
      seconds.received += received;
      seconds.inferred += tally.inferred / rate;
      seconds.silent += tally.silent / rate;
      seconds.failed += tally.failed / rate;
      if (pending > 0) seconds.unanswered += Math.max(0, received - needed / rate);
    }
    return seconds;
  }

  /**
   * Reports the earliest suspicion, once for the stream. All channels are at the same position, so which one is the
   * earliest does not depend on how the audio is cut.
   */
  #warn(): void {
    if (this.#warned) return;
    let first: Channel | undefined;
    for (const channel of this.#channels) {
      const { suspicion } = channel;
      if (suspicion !== undefined && suspicion.position < (first?.suspicion?.position ?? Infinity)) first = channel;
    }
    if (first?.suspicion === undefined) return;
    this.#warned = true;
    this.#owner.send(warningEvent(first.suspicion.code, first.index, first.suspicion.message));
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }
}
