import { CallRing } from "../worker/call-ring.ts";
import type { JobMessage } from "../worker/messages.ts";
import type { CallEnd } from "../worker/result-ring.ts";
import type { CallResult } from "./worker-host.ts";

/** A call without a result. */
interface OpenCall {
  readonly call: number;
  readonly jobs: readonly JobMessage[];
}

/** A call that waits for room in the ring. */
interface WaitingCall {
  readonly call: number;
  readonly messages: readonly JobMessage[];
}

/** The calls of a thread that have no result, by their positions in its ring. They end in any order. */
export class ThreadCalls {
  readonly ring = new CallRing();
  readonly #postJobs: (position: number, jobs: readonly JobMessage[]) => void;
  /** In the order in which they were queued. */
  readonly #open = new Map<number, OpenCall>();
  /** Calls that do not fit into the ring, because the thread takes many at once and has not had the time. */
  #waiting: WaitingCall[] = [];

  /** @param postJobs posts the jobs of the call at a position, before it is queued */
  constructor(postJobs: (position: number, jobs: readonly JobMessage[]) => void) {
    this.#postJobs = postJobs;
  }

  /** Calls wait for room in the ring. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The positions of all calls, without those that wait. */
  get positions(): number[] {
    return [...this.#open.keys()];
  }

  add(call: number, messages: readonly JobMessage[]): void {
    const waits = this.#waiting.length > 0 || !this.#queue(call, messages);
    if (waits) this.#waiting.push({ call, messages });
  }

  /** Queues calls that have waited, as far as there is room. */
  queueWaiting(): void {
    const stays = this.#waiting.findIndex(({ call, messages }) => !this.#queue(call, messages));
    this.#waiting = stays < 0 ? [] : this.#waiting.slice(stays);
  }

  /** Takes back the last call, if it has this number and was not taken. */
  withdraw(call: number): boolean {
    const last = this.#waiting.at(-1);
    if (last !== undefined) return last.call === call && this.#waiting.pop() !== undefined;
    const position = this.ring.lastPosition;
    if (this.#open.get(position)?.call !== call || !this.ring.withdraw()) return false;
    return this.#open.delete(position);
  }

  /** Takes back all calls that were not taken. */
  withdrawAll(): void {
    this.#waiting = [];
    while (this.ring.withdraw()) this.#open.delete(this.ring.nextPosition);
  }

  /** The position of a call; undefined: it has ended, or waits. */
  positionOf(call: number): number | undefined {
    for (const [position, open] of this.#open) if (open.call === call) return position;
    return undefined;
  }

  /** The position of the last call of a lane that the thread has not taken; undefined: there is none. */
  lastQueuedOf(lane: number): number | undefined {
    let last: number | undefined;
    for (const [position, { jobs }] of this.#open) {
      if (this.ring.isQueued(position) && jobs.some((job) => job.lane === lane)) last = position;
    }
    return last;
  }

  hasTaken(call: number): boolean {
    const position = this.positionOf(call);
    return position !== undefined && !this.ring.isQueued(position);
  }

  /** The number of jobs of the call at a position; undefined: there is no such call. */
  jobsAt(position: number): number | undefined {
    return this.#open.get(position)?.jobs.length;
  }

  /** Removes calls that have ended. */
  end(ends: readonly CallEnd[]): CallResult[] {
    const results = ends.map(({ position, inferMs, results }) => {
      const { call } = this.#open.get(position)!;
      this.#open.delete(position);
      return { call, inferMs, results };
    });
    const [first = this.ring.nextPosition] = this.#open.keys();
    this.ring.setAnswered(first);
    return results;
  }

  /** Returns false when there is no room. */
  #queue(call: number, messages: readonly JobMessage[]): boolean {
    const { ring } = this;
    // Positions are counted modulo 2^16: a call may have run for so long that others have gone all the way round.
    while (this.#open.has(ring.nextPosition) && ring.queued < CallRing.CAPACITY) ring.push([]);
    if (ring.queued >= CallRing.CAPACITY) return false;
    const fits = CallRing.fits(messages);
    if (!fits) this.#postJobs(ring.nextPosition, messages);
    this.#open.set(ring.push(fits ? messages : undefined), { call, jobs: messages });
    return true;
  }
}
