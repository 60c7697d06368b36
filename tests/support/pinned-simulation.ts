import { random } from "../../src/model/built-in/random.ts";
import type { AudioJob, LaneOwner } from "../../src/pool/lane.ts";
import { PinnedScheduler } from "../../src/pool/pinned-scheduler.ts";
import type { AssignedCall, QueuedJob, SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler-options.ts";
import { type Place, TurnCheck } from "./turn-check.ts";

interface PinnedJob {
  readonly lane: PinnedLane;
  readonly order: number;
  state: "waiting" | "running" | "cancelled" | "settled";
}

interface PinnedLane {
  readonly owner: LaneOwner;
  readonly place: Place;
  readonly handle: SchedulerLane;
  readonly jobs: Set<PinnedJob>;
  submitted: number;
  /** The worker that last ran a job of it, and the life of that; undefined: none has. */
  home: { readonly worker: number; readonly life: number } | undefined;
}

interface PinnedCall {
  readonly call: AssignedCall;
  readonly jobs: readonly PinnedJob[];
  readonly inferMs: number;
  takenMs: number | undefined;
}

interface SimulatedWorker {
  ready: boolean;
  /** It is not ready, but expected. */
  coming: boolean;
  /** Deaths so far. */
  life: number;
  /** Neither withdrawn nor ended, in order. The first one runs, or all do if the model takes several at once. */
  readonly calls: PinnedCall[];
}

const STEPS = 60;
/** Time that an aborted call has before its worker is replaced. */
const GRACE_MS = 20;
const NO_AUDIO = { slabs: [], offset: 0, length: 0 };
const OWNERS: readonly LaneOwner[] = ["a 1", "a 2", "b 1", "c 1"].map((name) => ({
  caller: name[0]!,
  stream: { name },
}));

/**
 * One random history of lanes that are opened, used and closed while workers of a pinned model crash, hang, are replaced,
 * and fail to come back, with a virtual clock. Some models take several calls at once. The rules of the scheduler are checked at each step. A broken rule throws.
 */
class PinnedSimulation {
  readonly #draw: () => number;
  readonly #options: SchedulerOptions;
  readonly #maxStreams: number;
  readonly #scheduler: PinnedScheduler;
  readonly #workers: SimulatedWorker[];
  readonly #lanes: PinnedLane[] = [];
  readonly #jobs = new Map<AudioJob, PinnedJob>();
  #turns = new TurnCheck();
  #now = 0;
  #opened = 0;
  #submitted = 0;
  #settled = 0;

  constructor(seed: number) {
    this.#draw = random(seed);
    this.#options = {
      workers: this.#integer(1, 4),
      maxInFlight: this.#integer(1, 3),
      stateful: false,
      maxBatch: [1, 1, 3][this.#integer(0, 2)]!,
      maxBatchWaitMs: [0, 5][this.#integer(0, 1)]!,
      idempotent: this.#draw() < 0.5,
      timeoutMs: 50,
      lostMs: 30,
      ...(this.#draw() < 0.5 && { concurrency: this.#integer(1, 3) }),
    };
    this.#maxStreams = this.#integer(1, 4);
    this.#workers = Array.from({ length: this.#options.workers }, () => ({
      ...{ ready: false, coming: true, life: 0 },
      calls: [],
    }));
    this.#scheduler = new PinnedScheduler(
      this.#options,
      { ahead: [0, 3][this.#integer(0, 1)]!, withdraw: (call) => this.#withdraw(call), abort: () => {} },
      { maxStreams: this.#maxStreams, isComing: (worker) => this.#isComing(worker) },
    );
    for (const worker of this.#workers.keys()) if (this.#draw() < 0.8) this.#replace(worker);
  }

  /** Runs the history to its end. Returns the number of jobs. */
  run(): number {
    for (let step = 0; step < STEPS; step++) {
      const worker = this.#integer(0, this.#options.workers - 1);
      const lane = this.#lanes[this.#integer(0, this.#lanes.length)];
      const dice = this.#draw();
      if (dice < 0.2) this.#open();
      else if (lane !== undefined && dice < 0.6) this.#submit(lane);
      else if (lane !== undefined && dice < 0.66) this.#close(lane);
      else if (dice < 0.71) this.#end(worker);
      else if (dice < 0.78) this.#replace(worker);
      else if (dice < 0.8) this.#giveUp(worker);
      else if (dice < 0.82) this.#settleAll();
      else this.#advance(this.#draw() * 30);
      if (this.#draw() < 0.7) this.#turn();
    }
    this.#settleAll();
    for (const worker of this.#workers.keys()) this.#replace(worker);
    this.#takeCensus();
    for (const lane of [...this.#lanes]) this.#close(lane);
    while (this.#workers.some(({ calls }) => calls.length > 0)) this.#advance(60);
    for (const worker of this.#workers.keys()) this.#replace(worker);
    const { finalsPending, finalsWaiting, busyWorkers, openStreams, places } = this.#scheduler;
    check(finalsPending + finalsWaiting + busyWorkers + openStreams + places.open === 0, "nothing is left over");
    check(places.allowed === this.#maxStreams * this.#options.workers, "every place is free at the end");
    return this.#submitted;
  }

  #open(): void {
    const { places } = this.#scheduler;
    check(places.open === this.#lanes.length, "open lanes are counted");
    const owner = OWNERS[this.#integer(0, OWNERS.length - 1)]!;
    let handle: SchedulerLane;
    try {
      handle = this.#scheduler.openLane(owner, undefined);
    } catch {
      return check(places.open >= places.allowed, "a lane is refused only when no worker that is expected has room");
    }
    check(places.open < places.allowed, "no lane is opened beyond the limit");
    const place: Place = [owner.caller, (owner.stream as { name: string }).name, `lane ${this.#opened++}`];
    this.#lanes.push({ owner, place, handle, jobs: new Set(), submitted: 0, home: undefined });
    const streams = new Set(this.#lanes.map((lane) => lane.owner.stream));
    check(this.#scheduler.openStreams === streams.size, "open streams are counted");
  }

  #submit(lane: PinnedLane): void {
    const simulated: PinnedJob = { lane, order: lane.submitted++, state: "waiting" };
    const job: AudioJob = { kind: "final", start: 0, end: 0, audio: NO_AUDIO, step: "step" };
    this.#submitted++;
    lane.jobs.add(simulated);
    this.#jobs.set(job, simulated);
    this.#scheduler.submit(lane.handle, job, () => {}, this.#now);
    check(this.#scheduler.takeDropped().length === 0, "no job is dropped while its lane is open");
  }

  #close(lane: PinnedLane): void {
    this.#scheduler.closeLane(lane.handle);
    for (const dropped of this.#scheduler.takeDropped()) this.#settle(this.#simulated(dropped), dropped.cancelled);
    for (const job of lane.jobs) check(job.state === "cancelled", "only running jobs outlive their lane, cancelled");
    this.#lanes.splice(this.#lanes.indexOf(lane), 1);
    this.#turns = new TurnCheck();
  }

  /** Ends a worker: what it runs fails, and what it has not taken waits again. */
  #end(index: number): void {
    const worker = this.#workers[index]!;
    if (!worker.ready) return;
    // In this order, as the slots of the pool do.
    Object.assign(worker, { ready: false, coming: true, life: worker.life + 1 });
    const { jobs } = this.#scheduler.workerEnded(index, this.#now);
    check(
      worker.calls.every(({ takenMs }) => takenMs !== undefined),
      "what was not taken does not end with a worker",
    );
    worker.calls.length = 0;
    for (const queued of jobs) this.#settle(this.#simulated(queued), false);
    for (const job of this.#jobs.values()) check(job.state !== "running" || this.#isRunning(job), "no job is repeated");
    this.#turns = new TurnCheck();
  }

  #replace(index: number): void {
    const worker = this.#workers[index]!;
    if (worker.ready) return;
    Object.assign(worker, { ready: true, coming: true });
    this.#scheduler.workerReady(index);
    this.#turns = new TurnCheck();
  }

  /** A worker that has ended is not expected any more. */
  #giveUp(index: number): void {
    if (this.#workers[index]!.ready) return;
    this.#workers[index]!.coming = false;
    for (const queued of this.#scheduler.takeHopeless()) this.#settle(this.#simulated(queued), false);
    const isUp = this.#workers.some((_worker, each) => this.#isComing(each));
    if (!isUp) check(this.#scheduler.finalsWaiting === 0, "nothing waits when no worker is expected");
    this.#turns = new TurnCheck();
  }

  /** If those workers that are ready have room for all lanes, no lane waits for another worker. */
  #settleAll(): void {
    for (let rounds = 0; this.#settled < this.#submitted; rounds++) {
      check(rounds < 2 * this.#submitted + 10, "no job waits for ever");
      const ready = this.#workers.filter((worker) => worker.ready).length;
      if (ready * this.#maxStreams < this.#lanes.length) this.#replace(this.#workers.findIndex((each) => !each.ready));
      this.#advance(60);
      for (const queued of this.#scheduler.takeHopeless()) this.#settle(this.#simulated(queued), false);
    }
  }

  /** Every lane has a job: those of no worker are more than its limit. */
  #takeCensus(): void {
    for (const lane of this.#lanes) this.#submit(lane);
    this.#settleAll();
    for (const [worker, { life }] of this.#workers.entries()) {
      const here = this.#lanes.filter(({ home }) => home?.worker === worker && home.life === life);
      check(here.length <= this.#maxStreams, "no worker has more lanes than it may");
    }
  }

  #advance(byMs: number): void {
    const untilMs = this.#now + byMs;
    this.#turn();
    for (let turns = 0; ; turns++) {
      check(turns < 3000, "nothing is due when there is nothing to do");
      const ends = this.#workers.flatMap(({ calls }) =>
        calls.map(({ takenMs = Infinity, inferMs }) => takenMs + inferMs),
      );
      const dueMs = Math.min(...ends, this.#scheduler.nextDueMs(this.#now));
      if (dueMs > untilMs) break;
      this.#now = Math.max(this.#now, dueMs);
      for (const call of this.#scheduler.overdue(this.#now)) this.#callOverdue(call);
      for (const worker of this.#workers.keys()) this.#endCalls(worker);
      this.#turn();
    }
    this.#now = untilMs;
  }

  #callOverdue(call: AssignedCall): void {
    const { worker, expired } = call;
    const simulated = this.#workers[worker]!.calls.find((each) => each.call === call);
    if (simulated === undefined) return;
    const leastMs = this.#options.timeoutMs + (expired ? GRACE_MS : 0);
    check(this.#now - simulated.takenMs! >= leastMs - 1e-6, "a call has its time, and one that was aborted more of it");
    if (this.#options.concurrency === undefined) this.#scheduler.withdrawFrom(worker);
    else if (!expired) {
      const settled = this.#scheduler.expire(call, this.#now + GRACE_MS);
      for (const queued of settled) this.#settle(this.#simulated(queued), true);
      return;
    }
    this.#end(worker);
  }

  #endCalls(index: number): void {
    const { calls } = this.#workers[index]!;
    const over = calls.find(({ takenMs = Infinity, inferMs }) => takenMs + inferMs <= this.#now);
    if (over === undefined) return;
    calls.splice(calls.indexOf(over), 1);
    const ended = this.#scheduler.callEnded(index, over.call.number, over.inferMs, this.#now);
    check(ended === over.call, "the end of a call is known");
    for (const job of over.jobs) this.#settle(job, false);
    if (calls[0] !== undefined) calls[0].takenMs ??= this.#now;
  }

  #turn(): void {
    this.#scheduler.review(this.#now);
    for (let call = this.#scheduler.next(this.#now); call; call = this.#scheduler.next(this.#now)) this.#started(call);
    const waiting = [...this.#jobs.values()].filter(({ state }) => state === "waiting").length;
    const ahead = this.#workers.reduce(
      (sum, { calls }) => sum + calls.filter(({ takenMs }) => takenMs === undefined).flatMap(({ jobs }) => jobs).length,
      0,
    );
    check(this.#scheduler.finalsWaiting === waiting + ahead, "waiting jobs are counted");
  }

  #started(call: AssignedCall): void {
    const worker = this.#workers[call.worker]!;
    check(worker.ready, "only a worker that is ready gets calls");
    check(call.jobs.length <= this.#options.maxBatch, "a batch has a limit");
    const jobs = call.jobs.map((queued) => this.#simulated(queued));
    for (const job of jobs) this.#jobStarted(job, call.worker);
    const inferMs = this.#draw() < 0.05 ? 1000 : this.#draw() * 10;
    const { concurrency } = this.#options;
    const isTaken = worker.calls.length === 0 || concurrency !== undefined;
    worker.calls.push({ call, jobs, inferMs, takenMs: isTaken ? this.#now : undefined });
    check(concurrency === undefined || worker.calls.length <= concurrency, "a worker has as many calls as it takes");
  }

  #jobStarted(job: PinnedJob, index: number): void {
    const { lane } = job;
    const { life } = this.#workers[index]!;
    check(job.state === "waiting", "only waiting jobs start, once");
    const { home } = lane;
    const mayMove = home === undefined || this.#workers[home.worker]!.life > home.life;
    check(mayMove || home.worker === index, "a lane stays on its worker as long as that lives");
    const isFirst = [...lane.jobs].every(({ state, order }) => order >= job.order || state !== "waiting");
    const isAlone = [...lane.jobs].every(({ state }) => state !== "running" && state !== "cancelled");
    check(isFirst && isAlone, "jobs of a lane run one after the other, in order");
    // Only of lanes that have run here it is known that they could run here.
    const here = this.#lanes.filter(({ home: at, jobs }) => at?.worker === index && at.life === life && waits(jobs));
    const places = new Set([...here, lane].map(({ place }) => place));
    // One of several places is kept for other streams, which is checked elsewhere.
    if ((this.#options.concurrency ?? 1) === 1) this.#turns.serve(String(index), lane.place, [...places]);
    lane.home = { worker: index, life };
    const homes = this.#lanes.filter((each) => each.home?.worker === index && each.home.life === life);
    check(homes.length <= this.#maxStreams, "no worker has more lanes than it may");
    job.state = "running";
    this.#turns.keep(here.filter(({ jobs }) => waits(jobs)).map(({ place }) => [String(index), place] as const));
  }

  #withdraw(call: AssignedCall): boolean {
    const { calls } = this.#workers[call.worker]!;
    const last = calls.at(-1);
    if (this.#options.concurrency !== undefined) return false;
    check(last?.call === call, "calls are withdrawn from the last one");
    if (last === undefined || last.takenMs !== undefined) return false;
    calls.pop();
    for (const job of last.jobs) job.state = "waiting";
    this.#turns = new TurnCheck();
    return true;
  }

  #settle(job: PinnedJob, cancelled: boolean): void {
    check(job.state !== "settled", "a job settles once");
    if (job.state !== "cancelled") this.#settled++;
    job.state = cancelled ? "cancelled" : "settled";
    if (!cancelled) job.lane.jobs.delete(job);
  }

  #isRunning(job: PinnedJob): boolean {
    return this.#workers.some(({ calls }) => calls.some(({ jobs }) => jobs.includes(job)));
  }

  #isComing(worker: number): boolean {
    const { ready, coming } = this.#workers[worker]!;
    return ready || coming;
  }

  #simulated({ job }: QueuedJob): PinnedJob {
    return this.#jobs.get(job)!;
  }

  #integer(min: number, max: number): number {
    return min + Math.floor(this.#draw() * (max - min + 1));
  }
}

/** Returns whether a lane with these jobs has one that could run now. */
function waits(jobs: ReadonlySet<PinnedJob>): boolean {
  const states = [...jobs].map(({ state }) => state);
  return states.includes("waiting") && !states.includes("running") && !states.includes("cancelled");
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`broken: ${rule}`);
}

/** Runs random histories of pinned models. Returns the number of jobs. An error names the seed of its history. */
export function runPinnedSchedules(count: number, seed: number): number {
  let jobs = 0;
  for (let i = 0; i < count; i++) {
    try {
      jobs += new PinnedSimulation(seed + i).run();
    } catch (error) {
      throw new Error(`history ${seed + i}: ${String(error)}`, { cause: error });
    }
  }
  return jobs;
}
