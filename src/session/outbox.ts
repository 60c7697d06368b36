import type { ResultAudio } from "../model/job.ts";
import type { ServerEvent } from "../protocol/events.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import type { Peer } from "./connection.ts";

/**
 * Nothing more is read from half an outbox on, but what had been read by then may have results of up to so much: who takes them is no slow
 * reader. With one result more it is less than Bun's own limit leaves.
 */
const OWED_BYTES = 16 * 1024 * 1024;

/** What one session has to say and its client has not taken yet. The bytes lie with the peer; this watches them. */
export class Outbox {
  readonly #peer: Peer;
  readonly #metrics: ServerMetrics;
  readonly #limit: number;
  /** Bytes that waited when it was last looked. */
  #waiting = 0;
  /** Bytes that have been given to the peer. */
  #written = 0;
  #overflowed = false;
  /** When nothing more began to leave, and how many bytes had left by then. */
  #stuck: { readonly since: number; readonly left: number } | undefined;

  /** @param limit bytes; from half of it on the client is to be held back */
  constructor(peer: Peer, metrics: ServerMetrics, limit: number) {
    this.#peer = peer;
    this.#metrics = metrics;
    this.#limit = limit;
  }

  /** The client reads too slowly: no more of its audio is to be taken until it has caught up. */
  get congested(): boolean {
    return this.#waiting > this.#limit / 2;
  }

  /** More waits than holding the client back can explain. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  write(event: ServerEvent, audio?: ResultAudio): void {
    const text = JSON.stringify(event);
    let bytes = Buffer.byteLength(text);
    this.#peer.send(text);
    this.#metrics.eventSent(event, bytes);
    if (audio !== undefined) {
      const { buffer, byteOffset, byteLength } = audio.samples;
      this.#peer.sendBinary(new Uint8Array(buffer, byteOffset, byteLength));
      this.#metrics.sent.countAudio(byteLength);
      bytes += byteLength;
    }
    this.#written += bytes;
    this.look();
    // One result always fits, however large: what waits beside it has not been read.
    if (this.#waiting - bytes > this.#limit + OWED_BYTES) this.#overflowed = true;
  }

  /** Sees how much waits now. */
  look(): void {
    this.#waiting = this.#peer.buffered;
  }

  /** Whether something has waited for `patience` milliseconds in which nothing left. To be asked a few times a second. */
  standsStill(now: number, patience: number): boolean {
    if (this.#waiting > 0) this.look();
    // Not how much waits: that stays the same while as much is added as leaves.
    const left = this.#written - this.#waiting;
    if (this.#waiting === 0) this.#stuck = undefined;
    else if (this.#stuck === undefined || left > this.#stuck.left) this.#stuck = { since: now, left };
    return this.#stuck !== undefined && now - this.#stuck.since >= patience;
  }
}
