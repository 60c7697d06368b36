import type { Group } from "../lib/fair-queue.ts";
import { Entry, Member } from "../lib/fair-queue.ts";
import { Link, LinkedList } from "../lib/linked-list.ts";

/** A session's places in the two rotations, and what it occupies. */
export interface SessionTurns<P> {
  readonly finals: Group<QueuedJob<P>>;
  readonly interims: Group<QueuedJob<P>>;
  readonly session: object | number;
  /** Lanes that are open. */
  lanes: number;
  /** Workers that run a piece of this session, or that went down with one and are not back. */
  workers: number;
}

/** One channel of one stream. Fields are the scheduler's own. */
export class SchedulerLane<P> {
  readonly turns: SessionTurns<P>;
  readonly finals: Member<QueuedJob<P>>;
  readonly interims: Member<QueuedJob<P>>;
  /** Finals that wait for earlier ones of the same lane, because of `maxInFlight`. */
  readonly blocked = new LinkedList<QueuedJob<P>>();
  readonly running = new Set<QueuedJob<P>>();
  waitingInterim: QueuedJob<P> | undefined;
  runningInterim = false;
  runningFinals = 0;
  closed = false;

  constructor(turns: SessionTurns<P>) {
    this.turns = turns;
    this.finals = new Member(turns.finals);
    this.interims = new Member(turns.interims);
  }
}

export class QueuedJob<P> {
  readonly lane: SchedulerLane<P>;
  readonly kind: "final" | "interim";
  readonly payload: P;
  readonly submittedMs: number;
  /** When it could first have run. */
  offeredMs = 0;
  startedMs = 0;
  /** Calls that it has been part of. */
  calls = 0;
  /** Its lane was closed while it ran: nobody waits for its result. */
  cancelled = false;
  /** Why it is dropped, if it is: a newer one replaced it, the one before was still running, a final came, or its lane was closed. */
  drop: "replaced" | "stretched" | "overtaken" | "closed" = "closed";
  readonly entry: Entry<QueuedJob<P>>;
  readonly blockedLink: Link<QueuedJob<P>> = new Link<QueuedJob<P>>(this);

  constructor(lane: SchedulerLane<P>, kind: "final" | "interim", payload: P, submittedMs: number) {
    this.lane = lane;
    this.kind = kind;
    this.payload = payload;
    this.submittedMs = submittedMs;
    this.entry = new Entry(this, kind === "final" ? lane.finals : lane.interims);
  }
}
