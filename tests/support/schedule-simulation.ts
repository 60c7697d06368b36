import { random } from "../../src/model/built-in/random.ts";
import type { AudioJob, LaneOwner } from "../../src/pool/lane.ts";
import type { AssignedCall, QueuedJob, SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler-options.ts";
import { Scheduler } from "../../src/pool/scheduler.ts";
import { type Place, TurnCheck } from "./turn-check.ts";

type Kind = AudioJob["kind"];

/** A job as the simulation records it. */
interface SimulatedJob {
  readonly lane: SimulatedLane;
  readonly kind: Kind;
  readonly order: number;
  state: "waiting" | "running" | "cancelled" | "settled";
  calls: number;
  /** -1 while earlier ones of its lane hold it back. */
  waitingSinceMs: number;
}

interface SimulatedLane {
  readonly owner: LaneOwner;
  readonly place: Place;
  readonly lane: SchedulerLane;
  readonly jobs: Set<SimulatedJob>;
  submitted: number;
}

/** A call on its worker, which takes it and ends it without the scheduler. */
interface SimulatedCall {
  readonly call: AssignedCall;
  readonly jobs: readonly SimulatedJob[];
  /** When the worker takes it, unless another call runs in its place. */
  readonly arrivesMs: number;
  inferMs: number;
  /** The model ends the call when it is aborted. */
  readonly heedsAbort: boolean;
  readonly dies: boolean;
  takenMs: number | undefined;
  /** When the scheduler hears of its end, which was before; undefined: it has not ended. */
  heardMs: number | undefined;
}

const STEPS = 40;
/** Longest times until an idle worker takes a call, and until the scheduler hears of the end of one. */
const WAKE_MS = 2;
const HEAR_MS = 8;
/** Time that an aborted call has before its worker is replaced, and that a model needs to end one. */
const GRACE_MS = 20;
const ABORT_MS = 3;
const NO_AUDIO = { slabs: [], offset: 0, length: 0 };

/** Streams of callers with three streams, two streams, and one. */
const OWNERS: readonly LaneOwner[] = [
  ...["a 1", "a 2", "a 3"].map((name) => ({ caller: "a", stream: { name } })),
  ...["b 1", "b 2"].map((name) => ({ caller: "b", stream: { name } })),
  { caller: "c", stream: { name: "c 1" } },
];

/**
 * One random history of submissions, slow calls, crashes and closed lanes with a virtual clock. Workers take calls that
 * they have ahead by themselves, while others are withdrawn, and the scheduler hears of ends some time later. Some models
 * take several calls at once, each in a place of its own, and calls are aborted. Every rule of the scheduler is checked at
 * each step against the simulation's own records. A broken rule throws.
 */
export class ScheduleSimulation {
  readonly #draw: () => number;
  readonly #options: SchedulerOptions;
  readonly #scheduler: Scheduler;
  readonly #jobs = new Map<AudioJob, SimulatedJob>();
  /** The calls of each place that are neither withdrawn nor heard to have ended, in order. */
  readonly #calls: SimulatedCall[][];
  /** Places of a worker. */
  readonly #concurrency: number;
  /** The calls of each worker that were queued and not withdrawn, in order. */
  readonly #queued: SimulatedCall[][];
  /** Lost places, with the streams of their calls and the time until which these occupy them. */
  readonly #lost = new Map<number, { readonly streams: ReadonlySet<object>; readonly untilMs: number }>();
  readonly #lanes: SimulatedLane[] = [];
  #turns = new TurnCheck();
  /** Calls that a worker may have ahead. */
  readonly #ahead: number;
  /** Longest time of a usual call. */
  readonly #callMs: number;
  #now = 0;
  #opened = 0;
  #submitted = 0;
  #settled = 0;

  constructor(seed: number) {
    this.#draw = random(seed);
    const stateful = this.#chance(0.25);
    this.#callMs = [15, 15, 1][this.#integer(0, 2)]!;
    this.#options = {
      workers: this.#integer(1, 4),
      maxInFlight: this.#integer(1, 3),
      stateful,
      maxBatch: stateful ? 1 : [1, 2, 4][this.#integer(0, 2)]!,
      maxBatchWaitMs: [0, 5][this.#integer(0, 1)]!,
      idempotent: this.#chance(0.5),
      timeoutMs: 50,
      lostMs: 30,
      ...(this.#chance(0.5) && { concurrency: [1, 2, 3, 5][this.#integer(0, 3)]! }),
    };
    const { workers, concurrency } = this.#options;
    const ahead = [0, 1, 3, 64][this.#integer(0, 3)]!;
    this.#concurrency = concurrency ?? 1;
    this.#ahead = concurrency === undefined ? ahead : 0;
    this.#calls = Array.from({ length: workers * this.#concurrency }, () => []);
    this.#queued = Array.from({ length: workers }, () => []);
    this.#scheduler = new Scheduler(this.#options, {
      ahead,
      withdraw: (call) => this.#withdraw(call),
      abort: (call) => this.#abort(call),
    });
    for (let worker = 0; worker < this.#options.workers; worker++) this.#scheduler.workerReady(worker);
    for (let i = this.#integer(1, 8); i > 0; i--) this.#openLane();
  }

  /** Runs the history to its end and until all jobs have settled. Returns the number of jobs. */
  run(): number {
    for (let step = 0; step < STEPS; step++) {
      const dice = this.#draw();
      if (dice < 0.45) this.#submit(this.#anyLane(), "final");
      else if (dice < 0.65) this.#submit(this.#anyLane(), "interim");
      else if (dice < 0.69) this.#close(this.#anyLane());
      else if (dice < 0.73) this.#crash(this.#integer(0, this.#options.workers - 1));
      else if (dice < 0.75) this.#loseAll();
      else if (dice < 0.8) this.#replaceLost();
      else this.#advance(this.#draw() * 20);
      if (this.#chance(0.7)) this.#startCalls();
    }
    for (let rounds = 0; this.#settled < this.#submitted; rounds++) {
      check(rounds < 2 * this.#submitted, "no job waits for ever");
      this.#replaceLost();
      this.#startCalls();
      this.#advance(60);
    }
    while (this.#calls.some(({ length }) => length > 0)) this.#advance(60);
    for (const { lane } of this.#lanes) this.#scheduler.closeLane(lane);
    const { finalsPending, finalsWaiting, interimsWaiting, busyWorkers, openStreams } = this.#scheduler;
    check(finalsPending + finalsWaiting + interimsWaiting + busyWorkers + openStreams === 0, "nothing is left over");
    return this.#submitted;
  }

  #openLane(): void {
    const owner = OWNERS[this.#integer(0, OWNERS.length - 1)]!;
    const { name } = owner.stream as { name: string };
    this.#lanes.push({
      owner,
      place: [owner.caller, name, `lane ${this.#opened++}`],
      lane: this.#scheduler.openLane(owner, undefined),
      jobs: new Set(),
      submitted: 0,
    });
  }

  #anyLane(): SimulatedLane {
    return this.#lanes[this.#integer(0, this.#lanes.length - 1)]!;
  }

  #submit(lane: SimulatedLane, kind: Kind): void {
    const order = kind === "final" ? lane.submitted++ : -1;
    const simulated: SimulatedJob = { lane, kind, order, state: "waiting", calls: 0, waitingSinceMs: -1 };
    const [running, waiting] = [this.#inFlight(lane, "interim"), this.#find(lane, "interim", "waiting")];
    const job: AudioJob = { kind, start: 0, end: 0, audio: NO_AUDIO };
    this.#submitted++;
    lane.jobs.add(simulated);
    this.#jobs.set(job, simulated);
    this.#scheduler.submit(lane.lane, job, () => {}, this.#now);
    this.#noteWaits(lane);
    this.#takeDropped();
    if (kind === "interim")
      check((simulated.state === "settled") === running > 0, "an interim beside a running one is dropped");
    if (waiting !== undefined && !(kind === "interim" && running > 0))
      check(waiting.state === "settled", "a waiting interim is replaced or dropped");
    if (kind === "final" && this.#options.concurrency !== undefined)
      check(this.#count(lane, "interim", "running") === 0, "a final aborts the interim that it overtakes");
  }

  #close(lane: SimulatedLane): void {
    this.#scheduler.closeLane(lane.lane);
    this.#takeDropped();
    for (const job of lane.jobs) {
      check(job.state === "cancelled", "only running jobs outlive their lane, cancelled");
      // Calls of other places may be behind it on the way to the worker.
      const isTaken = this.#callOf(job)?.takenMs !== undefined || this.#concurrency > 1;
      check(isTaken, "jobs that no worker has taken end with their lane");
    }
    this.#lanes.splice(this.#lanes.indexOf(lane), 1);
    this.#openLane();
    this.#forgetWaits();
  }

  #placesOf(worker: number): number[] {
    return Array.from({ length: this.#concurrency }, (_, i) => worker * this.#concurrency + i);
  }

  #crash(worker: number): void {
    const places = this.#placesOf(worker);
    if (this.#lost.has(places[0]!)) return;
    for (const place of places) this.#hear(place);
    this.#end(worker, true);
  }

  /** Ends a worker. Its calls that were not taken wait again, uncounted. */
  #end(worker: number, crashed: boolean): void {
    const { jobs } = this.#scheduler.workerEnded(worker, this.#now, crashed);
    for (const place of this.#placesOf(worker)) {
      const taken = this.#calls[place]!.splice(0);
      for (const { takenMs } of taken)
        check(takenMs !== undefined, "a call that was not taken does not end with its worker");
      const streams = new Set(taken.flatMap((call) => call.jobs.map(({ lane }) => lane.owner.stream)));
      this.#lost.set(place, { streams, untilMs: this.#now + this.#options.lostMs });
    }
    this.#ended(jobs, crashed);
  }

  /** Reports the calls of a place that have ended. */
  #hear(place: number): void {
    const calls = this.#calls[place]!;
    while (calls[0]?.heardMs !== undefined) {
      const [{ call, inferMs }] = calls.splice(0, 1) as [SimulatedCall];
      const ended = this.#scheduler.callEnded(call.worker, call.number, inferMs, this.#now);
      check(ended === call, "the end of a call is known");
      this.#ended(call.jobs, false);
    }
  }

  /** Takes back the last call of a worker if it has not taken it. */
  #withdraw(call: AssignedCall): boolean {
    const calls = this.#calls[call.place]!;
    const last = calls.at(-1);
    check(last?.call === call, "calls are withdrawn from the last one");
    if (last === undefined || last.takenMs !== undefined) return false;
    // Those of other places may be behind it on the way to the worker.
    if (this.#queued[call.worker]!.at(-1) !== last) return false;
    this.#queued[call.worker]!.pop();
    calls.pop();
    for (const job of last.jobs) {
      job.calls--;
      if (job.state === "cancelled") job.lane.jobs.delete(job);
      else job.state = "waiting";
    }
    // Who has had a turn is not known any more.
    this.#turns = new TurnCheck();
    return true;
  }

  /** Nobody wants the results of a call. */
  #abort(call: AssignedCall): void {
    const simulated = this.#calls[call.place]!.find((each) => each.call === call);
    check(simulated !== undefined, "a call is aborted before it has ended");
    check(
      call.jobs.every(({ cancelled }) => cancelled),
      "a call is aborted when nobody wants any of its results",
    );
    if (this.#options.concurrency === undefined || !simulated!.heedsAbort) return;
    const ranMs = this.#now - Math.max(simulated!.takenMs ?? 0, simulated!.arrivesMs);
    simulated!.inferMs = Math.min(simulated!.inferMs, Math.max(0, ranMs) + this.#draw() * ABORT_MS);
  }

  /** Lets a place take and end calls, as far as it comes until now. Returns when it does so next; Infinity: never. */
  #work(place: number): number {
    let freeMs = -Infinity;
    for (const call of this.#calls[place]!) {
      if (call.takenMs === undefined) {
        const takenMs = Math.max(freeMs, call.arrivesMs);
        if (takenMs > this.#now) return takenMs;
        call.takenMs = takenMs;
      }
      freeMs = call.takenMs + call.inferMs;
      if (freeMs > this.#now) return freeMs;
      if (call.dies) return freeMs;
      call.heardMs ??= freeMs + this.#draw() * HEAR_MS;
    }
    return Infinity;
  }

  /** Crashes every worker. None can be started any more: what waits fails. */
  #loseAll(): void {
    for (let worker = 0; worker < this.#options.workers; worker++) this.#crash(worker);
    for (const queued of this.#scheduler.takeWaiting()) this.#settle(this.#simulated(queued), "waiting");
    const { finalsWaiting, interimsWaiting, finalsPending } = this.#scheduler;
    check(finalsWaiting + interimsWaiting + finalsPending === 0, "nothing waits when no worker is left");
    for (const lane of this.#lanes) {
      check(lane.jobs.size === 0, "every job fails when no worker is left");
    }
    this.#forgetWaits();
  }

  #replaceLost(): void {
    const workers = new Set([...this.#lost.keys()].map((place) => Math.floor(place / this.#concurrency)));
    for (const worker of workers) this.#scheduler.workerReady(worker);
    this.#lost.clear();
  }

  /** Lets time pass, with everything that happens meanwhile. */
  #advance(byMs: number): void {
    const untilMs = this.#now + byMs;
    this.#startCalls();
    for (let turns = 0; ; turns++) {
      check(turns < 3000, "nothing is due when there is nothing to do");
      const worksMs = this.#calls.map((_, place) => this.#work(place));
      const hearsMs = this.#calls.map(([first]) => first?.heardMs ?? Infinity);
      const dueMs = Math.min(...worksMs, ...hearsMs, this.#scheduler.nextDueMs(this.#now));
      if (dueMs > untilMs) break;
      this.#now = Math.max(this.#now, dueMs);
      for (const place of this.#calls.keys()) this.#work(place);
      for (const call of this.#scheduler.overdue(this.#now)) this.#endOverdue(call);
      for (const [place, calls] of this.#calls.entries()) {
        const died = calls.some(({ dies, takenMs = Infinity, inferMs }) => dies && takenMs + inferMs <= this.#now);
        if (died) this.#crash(Math.floor(place / this.#concurrency));
        else if ((calls[0]?.heardMs ?? Infinity) <= this.#now) this.#hear(place);
      }
      this.#startCalls();
    }
    this.#now = untilMs;
    for (const place of this.#calls.keys()) this.#work(place);
    this.#checkNothingWaits();
  }

  /** As the dispatcher does: what was not taken is withdrawn before results are looked for. */
  #endOverdue(call: AssignedCall): void {
    const { worker, place } = call;
    const first = this.#calls[place]![0];
    // It may have ended with its worker.
    if (first?.call !== call) return check(this.#concurrency > 1, "a call that has ended is not overdue");
    check(call.deadlineMs <= this.#now, "no call is ended before its deadline");
    const canAbort = this.#options.concurrency !== undefined;
    if (!canAbort) this.#scheduler.withdrawFrom(worker);
    const isLate = this.#calls[place]![0]?.heardMs !== undefined;
    this.#hear(place);
    if (isLate) return;
    if (first.takenMs !== undefined && !call.expired) {
      const ranMs = this.#now - first.takenMs;
      check(ranMs >= this.#options.timeoutMs - WAKE_MS - 1e-6, "a deadline begins when a call is taken");
    }
    if (!canAbort) this.#end(worker, false);
    else if (call.expired) {
      const ranMs = this.#now - first.takenMs!;
      const leastMs = this.#options.timeoutMs + GRACE_MS - WAKE_MS;
      check(ranMs >= leastMs - 1e-6, "an aborted call has time to end");
      this.#crash(worker);
    } else if (first.takenMs === undefined) call.deadlineMs = this.#now + this.#options.timeoutMs;
    else this.#expire(call);
  }

  /** A call takes too long: its jobs settle, and it keeps its place until it ends. */
  #expire(call: AssignedCall): void {
    const wanted = call.jobs.filter(({ cancelled }) => !cancelled);
    const settled = this.#scheduler.expire(call, this.#now + GRACE_MS);
    check(settled.length === wanted.length, "every job of an expired call settles, unless it has");
    for (const queued of settled) {
      const job = this.#simulated(queued);
      this.#settle(job, "running");
      job.state = "cancelled";
      job.lane.jobs.add(job);
    }
    this.#forgetWaits();
  }

  #startCalls(): void {
    this.#scheduler.review(this.#now);
    for (let call = this.#scheduler.next(this.#now); call; call = this.#scheduler.next(this.#now)) this.#started(call);
    this.#checkNothingWaits();
    this.#checkNothingIsBehind();
    for (const calls of this.#calls) {
      for (const { call } of calls) check(this.#now < call.deadlineMs, "no call runs past its deadline");
    }
    const pending = this.#lanes.reduce((sum, lane) => sum + this.#pendingFinals(lane), 0);
    check(this.#scheduler.finalsPending === pending, "pending finals are counted");
  }

  /** A call behind another one does not wait for it while another worker could run it. */
  #checkNothingIsBehind(): void {
    if (this.#scheduler.idleWorkers === 0) return;
    for (const [first, behind] of this.#calls) {
      if (behind === undefined || behind.takenMs !== undefined) continue;
      const others = this.#calls.map((calls) => (calls[0] === first ? [first!] : calls));
      const mayMove = behind.jobs.every(({ lane }) => this.#mayOccupyMore(lane.owner.stream, -1, others));
      check(!mayMove, "no call waits behind another one beside an idle worker");
    }
  }

  #checkNothingWaits(): void {
    const finals = this.#startable("final");
    if (finals.length > 0 && this.#scheduler.idleWorkers > 0) {
      const mayHold = finals.length < this.#options.maxBatch;
      const { maxBatchWaitMs } = this.#options;
      const held = finals.every(({ waitingSinceMs }) => this.#now < waitingSinceMs + maxBatchWaitMs);
      check(mayHold && held, "no final waits beside an idle worker, except for others to join it");
    }
    if (finals.length === 0 && this.#startable("interim").length > 0 && this.#scheduler.idleWorkers > 0) {
      const mayHold = this.#options.maxBatchWaitMs > 0;
      const ready = this.#calls.length - this.#lost.size;
      check(mayHold || this.#interimCalls() >= ready - 1, "no interim waits for nothing");
    }
  }

  #started(call: AssignedCall): void {
    const { maxBatch, maxBatchWaitMs } = this.#options;
    const jobs = call.jobs.map((queued) => this.#simulated(queued));
    const { kind } = jobs[0]!;
    const calls = this.#calls[call.place]!;
    this.#checkBalance(call);
    check(!this.#lost.has(call.place), "a worker that is lost gets no call");
    check(calls.length === 0 || kind === "final", "only finals are ahead");
    check(calls.length <= this.#ahead, "a worker has a limited number of calls ahead");
    check(jobs.length <= maxBatch, "a batch has a limit");
    check(
      jobs.every((job) => job.kind === kind),
      "interims share no call with finals",
    );
    if (kind === "interim") {
      check(this.#startable("final").length === 0, "no interim goes before a final that could run");
      check(this.#interimCalls() + 1 <= Math.max(1, this.#calls.length - 1), "one place is kept free of interims");
    }
    if (kind === "final" && jobs[0]!.calls === 0) {
      const runnable = this.#lanes.flatMap((lane) => this.#runnableOf(lane, "final"));
      const due = runnable.some(({ waitingSinceMs }) => this.#now >= waitingSinceMs + maxBatchWaitMs);
      check(due || runnable.length >= maxBatch, "finals wait for others to join them");
    }
    for (const { owner } of new Set(jobs.map(({ lane }) => lane))) {
      const may = this.#mayOccupyMore(owner.stream, call.place);
      check(may, "no stream occupies all workers while others have lanes open");
    }
    for (const job of jobs) this.#jobStarted(job, jobs.length, call.place);
    const inferMs = this.#chance(0.05) ? 1000 : this.#draw() * this.#callMs;
    const queued = this.#queued[call.worker]!;
    // Calls reach their worker in order.
    const arrivesMs = Math.max(this.#now + this.#draw() * WAKE_MS, queued.at(-1)?.arrivesMs ?? 0);
    const chances = { dies: this.#chance(0.1), heedsAbort: this.#chance(0.8) };
    const simulated = { call, jobs, arrivesMs, inferMs, ...chances, takenMs: undefined, heardMs: undefined };
    calls.push(simulated);
    queued.push(simulated);
  }

  /** An idle place of a worker with the fewest calls gets the next one. */
  #checkBalance({ worker }: AssignedCall): void {
    if (this.#concurrency === 1) return;
    const busy = (each: number): number =>
      this.#placesOf(each).filter((place) => this.#calls[place]!.length > 0).length;
    for (let other = 0; other < this.#options.workers; other++) {
      const isIdle = this.#placesOf(other).some((place) => !this.#lost.has(place) && this.#calls[place]!.length === 0);
      if (isIdle) check(busy(worker) <= busy(other), "calls are spread over the workers");
    }
  }

  #jobStarted(job: SimulatedJob, batchSize: number, worker: number): void {
    const { lane, kind } = job;
    this.#turns.serve(
      kind,
      lane.place,
      this.#startable(kind, worker).map((waiting) => waiting.lane.place),
    );
    check(job.state === "waiting", "only waiting jobs start");
    check(this.#lanes.includes(lane), "no job of a closed lane starts");
    if (kind === "final" && job.calls === 0) {
      const earlier = [...lane.jobs].some(
        (other) => other.state === "waiting" && other.order >= 0 && other.order < job.order,
      );
      check(!earlier, "finals of a lane start in order");
    }
    job.state = "running";
    job.calls++;
    if (job.calls > 1) {
      check(this.#options.idempotent && job.calls === 2 && kind === "final", "only repeatable jobs repeat, once");
      check(batchSize === 1, "a job that is called again is called alone");
    }
    const limit = kind === "interim" || this.#options.stateful ? 1 : this.#options.maxInFlight;
    check(this.#inFlight(lane, kind) <= limit, "a lane keeps to its limit");
    this.#forgetWaits();
  }

  #forgetWaits(): void {
    this.#turns.keep(
      (["final", "interim"] as const).flatMap((kind) =>
        this.#startable(kind).map(({ lane }) => [kind, lane.place] as const),
      ),
    );
  }

  #ended(jobs: readonly QueuedJob[], mayRetry: boolean): void {
    for (const queued of jobs) {
      const job = this.#simulated(queued);
      check(queued.cancelled === (job.state === "cancelled"), "cancelled jobs are known");
      if (queued.cancelled) job.lane.jobs.delete(job);
      else this.#settle(job, "running");
    }
    for (const lane of this.#lanes) {
      for (const job of lane.jobs) {
        if (job.state !== "running" || this.#isRunning(job)) continue;
        check(mayRetry && job.kind === "final", "only a final whose worker crashed waits again");
        job.state = "waiting";
        job.waitingSinceMs = this.#now;
      }
      this.#noteWaits(lane);
    }
    this.#forgetWaits();
  }

  /** Records since when jobs that their lane does not hold back have waited. */
  #noteWaits(lane: SimulatedLane): void {
    for (const job of this.#runnableOf(lane, "final")) if (job.waitingSinceMs < 0) job.waitingSinceMs = this.#now;
  }

  #takeDropped(): void {
    for (const queued of this.#scheduler.takeDropped()) {
      const job = this.#simulated(queued);
      this.#settle(job, queued.cancelled ? "running" : "waiting");
      if (!queued.cancelled) continue;
      job.state = "cancelled";
      job.lane.jobs.add(job);
    }
    this.#forgetWaits();
  }

  #settle(job: SimulatedJob, from: SimulatedJob["state"]): void {
    check(job.state === from, "every job settles once");
    job.state = "settled";
    job.lane.jobs.delete(job);
    this.#settled++;
  }

  #simulated({ job }: QueuedJob): SimulatedJob {
    return this.#jobs.get(job)!;
  }

  #isRunning(job: SimulatedJob): boolean {
    return this.#callOf(job) !== undefined;
  }

  #callOf(job: SimulatedJob): SimulatedCall | undefined {
    return this.#calls.flat().find(({ jobs }) => jobs.includes(job));
  }

  /** Jobs that could start on a worker; by default, an idle one. */
  #startable(kind: Kind, worker = -1): SimulatedJob[] {
    const mayStart = ({ owner }: SimulatedLane): boolean => this.#mayOccupyMore(owner.stream, worker);
    return this.#lanes.flatMap((lane) => (mayStart(lane) ? this.#runnableOf(lane, kind) : []));
  }

  #interimCalls(): number {
    return this.#calls.flat().filter(({ jobs }) => jobs[0]!.kind === "interim").length;
  }

  /**
   * Returns whether the stream leaves a worker to others after one more call, or there is no other, or no worker.
   * @param worker that gets the call; -1: an idle one
   * @param workersCalls calls of every worker; default: those that they have
   */
  #mayOccupyMore(stream: object, worker = -1, workersCalls: readonly SimulatedCall[][] = this.#calls): boolean {
    if (this.#lanes.every(({ owner }) => owner.stream === stream)) return true;
    const lost = [...this.#lost.values()].filter(({ streams, untilMs }) => streams.size > 0 && this.#now < untilMs);
    const workers = this.#calls.length - this.#lost.size + lost.length;
    const occupies = (calls: readonly SimulatedCall[]): boolean =>
      calls.some(({ jobs }) => jobs.some(({ lane }) => lane.owner.stream === stream));
    const more = worker >= 0 && occupies(this.#calls[worker]!) ? 0 : 1;
    const occupied = workersCalls.filter(occupies).length + lost.filter(({ streams }) => streams.has(stream)).length;
    return workers < 2 || occupied + more < workers;
  }

  /** The first waiting jobs of a lane, as many as its limit allows to run. */
  #runnableOf(lane: SimulatedLane, kind: Kind): SimulatedJob[] {
    const waiting = [...lane.jobs].filter((job) => job.kind === kind && job.state === "waiting");
    if (kind === "interim") return waiting;
    const limit = this.#options.stateful ? 1 : this.#options.maxInFlight;
    waiting.sort((a, b) => a.order - b.order);
    return waiting.slice(0, Math.max(0, limit - this.#inFlight(lane, "final")));
  }

  #pendingFinals(lane: SimulatedLane): number {
    return this.#count(lane, "final", "running") + this.#count(lane, "final", "waiting");
  }

  /** Jobs that a worker runs, those that are settled among them. */
  #inFlight(lane: SimulatedLane, kind: Kind): number {
    return this.#count(lane, kind, "running") + this.#count(lane, kind, "cancelled");
  }

  #count(lane: SimulatedLane, kind: Kind, state: SimulatedJob["state"]): number {
    let count = 0;
    for (const job of lane.jobs) if (job.kind === kind && job.state === state) count++;
    return count;
  }

  #find(lane: SimulatedLane, kind: Kind, state: SimulatedJob["state"]): SimulatedJob | undefined {
    return [...lane.jobs].find((job) => job.kind === kind && job.state === state);
  }

  #chance(probability: number): boolean {
    return this.#draw() < probability;
  }

  #integer(least: number, most: number): number {
    return least + Math.floor(this.#draw() * (most - least + 1));
  }
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`broken: ${rule}`);
}

/** Runs `count` random histories, the first with `seed`. Returns the number of jobs. Throws with the seed that failed. */
export function runSchedules(count: number, seed: number): number {
  let jobs = 0;
  for (let each = seed; each < seed + count; each++) {
    try {
      jobs += new ScheduleSimulation(each).run();
    } catch (error) {
      throw new Error(`seed ${each}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  return jobs;
}
