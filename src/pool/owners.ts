import { Group } from "../lib/fair-queue.ts";
import type { LaneOwner } from "./lane.ts";
import type { CallerTurns, QueuedJob, StreamTurns } from "./queued-job.ts";

/** Callers and streams that have lanes open or occupy workers, with their places in the rotations. */
export class Owners {
  readonly #finals: Group<QueuedJob>;
  readonly #interims: Group<QueuedJob>;
  readonly #callers = new Map<string, CallerTurns>();
  readonly #streams = new Map<object, StreamTurns>();
  #openStreams = 0;

  /** @param finals root of the queue of finals @param interims root of the queue of interims */
  constructor(finals: Group<QueuedJob>, interims: Group<QueuedJob>) {
    this.#finals = finals;
    this.#interims = interims;
  }

  /** Streams with open lanes. */
  get openStreams(): number {
    return this.#openStreams;
  }

  /** Number of callers and streams that are kept. */
  get size(): number {
    return this.#callers.size + this.#streams.size;
  }

  /** Adds a lane to the stream. A stream keeps the caller that it first came with. */
  openLane(owner: LaneOwner): StreamTurns {
    const turns = this.#streams.get(owner.stream) ?? this.#addStream(owner);
    if (turns.lanes++ === 0) this.#openStreams++;
    return turns;
  }

  closeLane(turns: StreamTurns): void {
    if (--turns.lanes === 0) this.#openStreams--;
    this.forgetIdle(turns);
  }

  /** Forgets a stream that has no lanes and occupies no workers. A stream that occupies one may open other lanes. */
  forgetIdle(turns: StreamTurns): void {
    const { stream, caller, lanes, workers } = turns;
    if (lanes > 0 || workers > 0 || this.#streams.get(stream) !== turns) return;
    this.#streams.delete(stream);
    if (--caller.streams === 0) this.#callers.delete(caller.caller);
  }

  #addStream({ caller: id, stream }: LaneOwner): StreamTurns {
    const caller = this.#callers.get(id) ?? this.#addCaller(id);
    caller.streams++;
    const places = { finals: new Group(caller.finals), interims: new Group(caller.interims) };
    const turns = { stream, caller, ...places, lanes: 0, workers: 0 };
    this.#streams.set(stream, turns);
    return turns;
  }

  #addCaller(caller: string): CallerTurns {
    const turns = { caller, finals: new Group(this.#finals), interims: new Group(this.#interims), streams: 0 };
    this.#callers.set(caller, turns);
    return turns;
  }
}
