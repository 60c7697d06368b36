import { warningEvent } from "../../protocol/warning-event.ts";
import type { Channels } from "../channels.ts";
import type { Intake } from "../intake.ts";
import type { StreamOwner } from "../owner.ts";
import type { ResumeState } from "./resume-state.ts";
import { Snapshots } from "./snapshots.ts";
import { Track } from "./track.ts";

/** Least time between two checkpoints. */
const INTERVAL_MS = 1_000;
/** Without a result there is one after this time, if it saves the client from keeping audio. */
const SILENCE_MS = 5_000;
/** Time after which a state that was too large is looked at again. */
const TOO_LARGE_MS = 10_000;

const WAV_MESSAGE =
  "The stream began with a WAV header, so its frames cannot be counted by who sends it: send samples without a header.";

export interface CheckpointsOptions {
  readonly intake: Intake;
  readonly channels: Channels;
  readonly owner: StreamOwner;
  /** Hz. */
  readonly sampleRate: number;
  /** Returns the token of a state; undefined: it is too large. */
  readonly seal: (state: ResumeState) => string | undefined;
  /** Returns milliseconds. */
  readonly clock: () => number;
  /** The state that the stream goes on from. */
  readonly resumed: ResumeState | undefined;
}

/**
 * The checkpoints of one stream. States are saved at positions about a second apart; a checkpoint has the newest one
 * before which everything has been answered, and what has been answered and sent since.
 */
export class Checkpoints {
  readonly track: Track;
  readonly #options: CheckpointsOptions;
  readonly #snapshots = new Snapshots();
  /** Something has been sent since the last checkpoint that it does not have. */
  #due = false;
  /** The last checkpoint is too recent for another one. */
  #waits = true;
  #sentAt: number;
  #waitMs = INTERVAL_MS;
  /** Position of the last checkpoint. */
  #position = 0;
  /** The client knows that the stream, or its state at times, cannot be resumed. */
  #warned = false;
  #impossible = false;

  constructor(options: CheckpointsOptions) {
    this.#options = options;
    const { channels, sampleRate, clock, resumed } = options;
    const { position: start = 0, flushes = [] } = resumed ?? {};
    this.track = new Track({ sampleRate, grid: channels.grid, start, flushes });
    this.#sentAt = clock();
  }

  /** Saves the state at this position, if it is time for that, and flushes where the stream before was flushed. */
  pause(position: number): void {
    const { channels, intake } = this.#options;
    if (this.track.takeSave(position)) {
      const { frames } = intake;
      this.#snapshots.add({ position, frames, decoder: intake.save(), channels: channels.save() });
    }
    while (this.track.takeFlush(position)) {
      channels.flush(false);
      this.track.flushed(position);
    }
  }

  /** A result that is not an interim, or a `flushed`, has been sent. */
  answered(): void {
    this.#due = true;
  }

  /** Sends a checkpoint if it is due. To be called when all channels are at the same position. */
  look(): void {
    if (this.#due && !this.#waits) this.#send();
  }

  /** The same, after some time. To be called about ten times a second. @param now milliseconds */
  tick(now: number): void {
    const since = now - this.#sentAt;
    if (since >= this.#waitMs) this.#waits = false;
    if (!this.#waits && (this.#due || since >= SILENCE_MS)) this.#send();
  }

  #send(): void {
    const { channels, intake, owner, seal, clock } = this.#options;
    if (this.#impossible) return;
    if (intake.skippedBytes > 0) {
      this.#impossible = true;
      return this.#warn(WAV_MESSAGE);
    }
    const snapshot = this.#snapshots.newest(channels.answered);
    const flushes = snapshot && this.track.flushesSince(snapshot.position);
    if (snapshot === undefined || flushes === undefined) {
      this.#waits = true;
      this.#waitMs = 0;
      return;
    }
    if (!this.#due && snapshot.position === this.#position) return;
    this.#waits = true;
    this.#sentAt = clock();
    this.#waitMs = INTERVAL_MS;
    const { position, frames, decoder } = snapshot;
    const reported = { ...intake.reported, suspicion: channels.warned };
    const token = seal({ position, frames, decoder, reported, flushes, channels: channels.state(snapshot) });
    if (token === undefined) {
      this.#waitMs = TOO_LARGE_MS;
      return this.#warn(undefined);
    }
    // A client that does not read its results gets none.
    if (!owner.send({ type: "checkpoint", token, position: frames })) return;
    this.#due = false;
    this.#position = position;
  }

  #warn(message: string | undefined): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#options.owner.send(warningEvent("not_resumable", -1, message));
  }
}
