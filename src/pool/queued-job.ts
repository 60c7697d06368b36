import type { Group } from "../lib/fair-queue.ts";
import { Entry, Member } from "../lib/fair-queue.ts";
import { Link, LinkedList } from "../lib/linked-list.ts";
import type { AudioJob, Settle } from "./lane.ts";

/** A caller's places in the rotations of finals and of interims. */
export interface CallerTurns {
  readonly caller: string;
  readonly finals: Group<QueuedJob>;
  readonly interims: Group<QueuedJob>;
  /** Streams that have a place below this one. */
  streams: number;
}

/** A stream's places in the rotations of its caller, and the workers that it occupies. */
export interface StreamTurns {
  readonly stream: object;
  readonly caller: CallerTurns;
  readonly finals: Group<QueuedJob>;
  readonly interims: Group<QueuedJob>;
  /** Open lanes. */
  lanes: number;
  /** Workers that have a job of this stream, or that were lost with one and are not back. */
  workers: number;
}

/** One channel of a stream, as the scheduler sees it. */
export class SchedulerLane {
  readonly stream: StreamTurns;
  /** Unique in its pool. Hosts know the lane by this number. */
  readonly number: number;
  /** `options` of the `start`, for the model; undefined: none. */
  readonly options: unknown;
  readonly finals: Member<QueuedJob>;
  readonly interims: Member<QueuedJob>;
  /** Finals that must wait for earlier ones of this lane, because of `maxInFlight`. */
  readonly blocked = new LinkedList<QueuedJob>();
  /** Jobs that a worker has. */
  readonly running = new Set<QueuedJob>();
  /** Jobs so far. */
  submitted = 0;
  waitingInterim: QueuedJob | undefined;
  runningInterim = false;
  runningFinals = 0;
  closed = false;

  constructor(stream: StreamTurns, number: number, options: unknown) {
    this.stream = stream;
    this.number = number;
    this.options = options;
    this.finals = new Member(stream.finals);
    this.interims = new Member(stream.interims);
  }

  jobStarted(job: QueuedJob): void {
    this.running.add(job);
    if (job.kind === "final") this.runningFinals++;
    else {
      this.waitingInterim = undefined;
      this.runningInterim = true;
    }
  }

  /** The job was not started after all. */
  jobWithdrawn(job: QueuedJob): void {
    this.jobEnded(job);
    if (job.kind === "interim") this.waitingInterim = job;
  }

  jobEnded(job: QueuedJob): void {
    this.running.delete(job);
    if (job.kind === "final") this.runningFinals--;
    else this.runningInterim = false;
  }
}

/** A call that a worker has: jobs of one kind that go to the model together. Times are on the pool's clock. */
export interface AssignedCall {
  /** Unique in its pool. */
  readonly number: number;
  readonly worker: number;
  /** One of the places of the worker: see `Assignments`. */
  readonly place: number;
  readonly jobs: readonly QueuedJob[];
  readonly kind: "final" | "interim";
  readonly assignedMs: number;
  /** Undefined: it is behind others, as far as is known here. */
  startedMs: number | undefined;
  /** Infinity: it has not started. */
  deadlineMs: number;
  /** It has taken too long: its jobs are settled, and it was aborted, but has not ended. */
  expired: boolean;
}

/** What ends with a worker. */
export interface EndedCalls {
  readonly calls: readonly AssignedCall[];
  /** Jobs of these calls that have ended: they are not called again. */
  readonly jobs: readonly QueuedJob[];
}

/** A job in the pool, from its submission to its end. Times are in milliseconds of the pool's clock. */
export class QueuedJob {
  readonly lane: SchedulerLane;
  readonly job: AudioJob;
  readonly settle: Settle;
  readonly submittedMs: number;
  /** Jobs that its lane got before. */
  readonly order: number;
  /** When the job could first have run. */
  runnableMs = 0;
  /** Known when its call has ended. */
  startedMs = 0;
  /** Calls that the job has been part of, without those that were withdrawn. */
  calls = 0;
  /** The call that it is part of; undefined: none. */
  call: AssignedCall | undefined;
  /**
   * The job was settled while it ran, and its result is discarded: its lane was closed, its call has expired, or a final
   * has overtaken the interim.
   */
  cancelled = false;
  /**
   * Why the job was dropped, if it was: a newer interim replaced it, an earlier interim was still running, a final
   * came, or the lane was closed.
   */
  dropReason: "replaced" | "stretched" | "overtaken" | "closed" = "closed";
  readonly entry: Entry<QueuedJob>;
  readonly blockedLink: Link<QueuedJob> = new Link<QueuedJob>(this);

  constructor(lane: SchedulerLane, job: AudioJob, settle: Settle, now: number) {
    this.lane = lane;
    this.job = job;
    this.settle = settle;
    this.submittedMs = now;
    this.order = lane.submitted++;
    this.entry = new Entry(this, job.kind === "final" ? lane.finals : lane.interims);
  }

  get kind(): "final" | "interim" {
    return this.job.kind;
  }

  /** Milliseconds from the submission to the start. */
  get queueMs(): number {
    return this.startedMs - this.submittedMs;
  }
}
