import { CallRing } from "../worker/call-ring.ts";
import type { JobMessage } from "../worker/messages.ts";
import type { CallEnd } from "../worker/result-ring.ts";
import type { CallResult } from "./worker-host.ts";

/** A call without a result. */
interface OpenCall {
  readonly call: number;
  readonly jobs: readonly JobMessage[];
}

/** A lane that has ended, but has a call that waits. */
interface EndedLane {
  readonly lane: number;
  readonly post: (last: number | undefined) => void;
}

/** The calls of a thread that have no result, by their positions in its ring. They end in any order. */
export class ThreadCalls {
  readonly ring = new CallRing();
  readonly #postJobs: (position: number, jobs: readonly JobMessage[]) => void;
  /** In the order in which they were queued. */
  readonly #open = new Map<number, OpenCall>();
  /** Calls that do not fit into the ring, because the thread takes many at once and has not had the time. */
  #waiting: OpenCall[] = [];
  #forgetting: EndedLane[] = [];

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
    if (waits) this.#waiting.push({ call, jobs: messages });
  }

  /** Queues calls that have waited, as far as there is room. */
  queueWaiting(): void {
    const stays = this.#waiting.findIndex(({ call, jobs }) => !this.#queue(call, jobs));
    this.#waiting = stays < 0 ? [] : this.#waiting.slice(stays);
    this.#forgetEnded();
  }

  /** Takes back the last call, if it has this number and was not taken. */
  withdraw(call: number): boolean {
    const last = this.#waiting.at(-1);
    if (last !== undefined) {
      if (last.call !== call) return false;
      this.#waiting.pop();
      this.#forgetEnded();
      return true;
    }
    const position = this.ring.lastPosition;
    if (this.#open.get(position)?.call !== call || !this.ring.withdraw()) return false;
    return this.#open.delete(position);
  }

  /** Takes back all calls that were not taken. */
  withdrawAll(): void {
    this.#waiting = [];
    this.#forgetting = [];
    while (this.ring.withdraw()) this.#open.delete(this.ring.nextPosition);
  }

  /** The position of a call; undefined: it has ended, or waits. */
  positionOf(call: number): number | undefined {
    for (const [position, open] of this.#open) if (open.call === call) return position;
    return undefined;
  }

  /**
   * A lane has ended. Runs `post` when none of its calls waits any more.
   * @param post receives the position of its last call that the thread has not taken; undefined: there is none
   */
  forget(lane: number, post: (last: number | undefined) => void): void {
    const isOf = ({ jobs }: { readonly jobs: readonly JobMessage[] }): boolean => jobs.some((job) => job.lane === lane);
    if (this.#waiting.some(isOf)) return void this.#forgetting.push({ lane, post });
    const queued = [...this.#open].filter(([position, call]) => this.ring.isQueued(position) && isOf(call));
    post(queued.at(-1)?.[0]);
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

  #forgetEnded(): void {
    for (const { lane, post } of this.#forgetting.splice(0)) this.forget(lane, post);
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
