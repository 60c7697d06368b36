import { random } from "../../src/model/built-in/random.ts";
import type { RunningCall } from "../../src/pool/assignments.ts";
import type { AudioJob, LaneOwner } from "../../src/pool/lane.ts";
import type { QueuedJob, SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler.ts";
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
  lastStarted: number;
}

interface SimulatedCall {
  readonly call: RunningCall;
  readonly jobs: readonly SimulatedJob[];
  readonly endsMs: number;
  readonly dies: boolean;
}

const STEPS = 40;
const NO_AUDIO = { slabs: [], offset: 0, length: 0 };

/** Streams of callers with three streams, two streams, and one. */
const OWNERS: readonly LaneOwner[] = [
  ...["a 1", "a 2", "a 3"].map((name) => ({ caller: "a", stream: { name } })),
  ...["b 1", "b 2"].map((name) => ({ caller: "b", stream: { name } })),
  { caller: "c", stream: { name: "c 1" } },
];

/**
 * One random history of submissions, slow calls, crashes and closed lanes with a virtual clock. Every rule of the
 * scheduler is checked at each step against the simulation's own records. A broken rule throws.
 */
export class ScheduleSimulation {
  readonly #draw: () => number;
  readonly #options: SchedulerOptions;
  readonly #scheduler: Scheduler;
  readonly #jobs = new Map<AudioJob, SimulatedJob>();
  readonly #running = new Map<number, SimulatedCall>();
  /** Lost workers, with the streams of their calls and the time until which these occupy them. */
  readonly #lost = new Map<number, { readonly streams: ReadonlySet<object>; readonly untilMs: number }>();
  readonly #lanes: SimulatedLane[] = [];
  readonly #turns = new TurnCheck();
  #now = 0;
  #opened = 0;
  #submitted = 0;
  #settled = 0;

  constructor(seed: number) {
    this.#draw = random(seed);
    const stateful = this.#chance(0.25);
    this.#options = {
      workers: this.#integer(1, 4),
      maxInFlight: this.#integer(1, 3),
      stateful,
      maxBatch: stateful ? 1 : [1, 2, 4][this.#integer(0, 2)]!,
      maxBatchWaitMs: [0, 5][this.#integer(0, 1)]!,
      idempotent: this.#chance(0.5),
      timeoutMs: 50,
      lostMs: 30,
    };
    this.#scheduler = new Scheduler(this.#options);
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
    while (this.#running.size > 0) this.#advance(60);
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
      lastStarted: -1,
    });
  }

  #anyLane(): SimulatedLane {
    return this.#lanes[this.#integer(0, this.#lanes.length - 1)]!;
  }

  #submit(lane: SimulatedLane, kind: Kind): void {
    const order = kind === "final" ? lane.submitted++ : -1;
    const simulated: SimulatedJob = { lane, kind, order, state: "waiting", calls: 0, waitingSinceMs: -1 };
    const [running, waiting] = [this.#count(lane, "interim", "running"), this.#find(lane, "interim", "waiting")];
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
  }

  #close(lane: SimulatedLane): void {
    this.#scheduler.closeLane(lane.lane);
    this.#takeDropped();
    for (const { state } of lane.jobs) check(state === "cancelled", "only running jobs outlive their lane, cancelled");
    this.#lanes.splice(this.#lanes.indexOf(lane), 1);
    this.#openLane();
    this.#forgetWaits();
  }

  #crash(worker: number): void {
    if (this.#lost.has(worker)) return;
    this.#lose(worker);
    this.#ended(this.#scheduler.workerEnded(worker, this.#now, true), true);
  }

  /** Crashes every worker. None can be started any more: what waits fails. */
  #loseAll(): void {
    for (let worker = 0; worker < this.#options.workers; worker++) this.#crash(worker);
    for (const queued of this.#scheduler.takeWaiting()) this.#settle(this.#simulated(queued), "waiting");
    const { finalsWaiting, interimsWaiting, finalsPending } = this.#scheduler;
    check(finalsWaiting + interimsWaiting + finalsPending === 0, "nothing waits when no worker is left");
    for (const lane of this.#lanes) {
      check(lane.jobs.size === 0, "every job fails when no worker is left");
      lane.lastStarted = lane.submitted - 1;
    }
    this.#forgetWaits();
  }

  #lose(worker: number): void {
    const streams = new Set(this.#running.get(worker)?.jobs.map(({ lane }) => lane.owner.stream));
    this.#running.delete(worker);
    this.#lost.set(worker, { streams, untilMs: this.#now + this.#options.lostMs });
  }

  #replaceLost(): void {
    for (const worker of this.#lost.keys()) this.#scheduler.workerReady(worker);
    this.#lost.clear();
  }

  /** Lets time pass, with everything that happens meanwhile. */
  #advance(byMs: number): void {
    const untilMs = this.#now + byMs;
    this.#startCalls();
    for (let turns = 0; ; turns++) {
      check(turns < 1000, "nothing is due when there is nothing to do");
      const next = [...this.#running.values()].sort((a, b) => a.endsMs - b.endsMs)[0];
      const dueMs = Math.min(next?.endsMs ?? Infinity, this.#scheduler.nextDueMs());
      if (dueMs > untilMs) break;
      this.#now = Math.max(this.#now, dueMs);
      for (const worker of this.#scheduler.overdue(this.#now)) {
        check(this.#running.get(worker)!.call.deadlineMs <= this.#now, "no call is ended before its deadline");
        this.#lose(worker);
        this.#ended(this.#scheduler.workerEnded(worker, this.#now, false), false);
      }
      if (next && next.endsMs <= this.#now && this.#running.has(next.call.worker)) {
        if (next.dies) this.#crash(next.call.worker);
        else {
          this.#running.delete(next.call.worker);
          this.#ended(this.#scheduler.callEnded(next.call.worker, this.#now), false);
        }
      }
      this.#startCalls();
    }
    this.#now = untilMs;
    this.#checkNothingWaits();
  }

  #startCalls(): void {
    for (let call = this.#scheduler.next(this.#now); call; call = this.#scheduler.next(this.#now)) this.#started(call);
    this.#checkNothingWaits();
    for (const { call } of this.#running.values()) check(this.#now < call.deadlineMs, "no call runs past its deadline");
    const pending = this.#lanes.reduce((sum, lane) => sum + this.#pendingFinals(lane), 0);
    check(this.#scheduler.finalsPending === pending, "pending finals are counted");
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
      const ready = this.#options.workers - this.#lost.size;
      check(mayHold || this.#interimCalls() >= ready - 1, "no interim waits for nothing");
    }
  }

  #started(call: RunningCall): void {
    const { workers, maxBatch, maxBatchWaitMs } = this.#options;
    const jobs = call.jobs.map((queued) => this.#simulated(queued));
    const { kind } = jobs[0]!;
    check(!this.#running.has(call.worker) && !this.#lost.has(call.worker), "a worker has one call at a time");
    check(jobs.length <= maxBatch, "a batch has a limit");
    check(
      jobs.every((job) => job.kind === kind),
      "interims share no call with finals",
    );
    if (kind === "interim") {
      check(this.#startable("final").length === 0, "no interim goes before a final that could run");
      check(this.#interimCalls() + 1 <= Math.max(1, workers - 1), "one worker is kept free of interims");
    }
    if (kind === "final" && jobs[0]!.calls === 0) {
      const runnable = this.#lanes.flatMap((lane) => this.#runnableOf(lane, "final"));
      const due = runnable.some(({ waitingSinceMs }) => this.#now >= waitingSinceMs + maxBatchWaitMs);
      check(due || runnable.length >= maxBatch, "finals wait for others to join them");
    }
    for (const { owner } of new Set(jobs.map(({ lane }) => lane))) {
      check(this.#mayOccupyMore(owner.stream), "no stream occupies all workers while others have lanes open");
    }
    for (const job of jobs) this.#jobStarted(job, jobs.length);
    const slow = this.#chance(0.05);
    const endsMs = this.#now + (slow ? 1000 : this.#draw() * 15);
    this.#running.set(call.worker, { call, jobs, endsMs, dies: this.#chance(0.1) });
  }

  #jobStarted(job: SimulatedJob, batchSize: number): void {
    const { lane, kind } = job;
    this.#turns.serve(
      kind,
      lane.place,
      this.#startable(kind).map((waiting) => waiting.lane.place),
    );
    check(job.state === "waiting", "only waiting jobs start");
    check(this.#lanes.includes(lane), "no job of a closed lane starts");
    job.state = "running";
    job.calls++;
    if (job.calls > 1) {
      check(this.#options.idempotent && job.calls === 2 && kind === "final", "only repeatable jobs repeat, once");
      check(batchSize === 1, "a job that is called again is called alone");
    } else if (kind === "final") {
      check(job.order === lane.lastStarted + 1, "finals of a lane start in order");
      lane.lastStarted = job.order;
    }
    const limit = kind === "interim" || this.#options.stateful ? 1 : this.#options.maxInFlight;
    check(this.#count(lane, kind, "running") <= limit, "a lane keeps to its limit");
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
    return [...this.#running.values()].some(({ jobs }) => jobs.includes(job));
  }

  #startable(kind: Kind): SimulatedJob[] {
    return this.#lanes.flatMap((lane) => (this.#mayOccupyMore(lane.owner.stream) ? this.#runnableOf(lane, kind) : []));
  }

  #interimCalls(): number {
    return [...this.#running.values()].filter(({ jobs }) => jobs[0]!.kind === "interim").length;
  }

  /** Returns whether the stream leaves a worker to others after one more call, or there is no other, or no worker. */
  #mayOccupyMore(stream: object): boolean {
    if (this.#lanes.every(({ owner }) => owner.stream === stream)) return true;
    const lost = [...this.#lost.values()].filter(({ streams, untilMs }) => streams.size > 0 && this.#now < untilMs);
    const workers = this.#options.workers - this.#lost.size + lost.length;
    const running = [...this.#running.values()].filter(({ jobs }) =>
      jobs.some((job) => job.lane.owner.stream === stream),
    );
    const occupied = running.length + lost.filter(({ streams }) => streams.has(stream)).length;
    return workers < 2 || occupied + 1 < workers;
  }

  /** The first waiting jobs of a lane, as many as its limit allows to run. */
  #runnableOf(lane: SimulatedLane, kind: Kind): SimulatedJob[] {
    const waiting = [...lane.jobs].filter((job) => job.kind === kind && job.state === "waiting");
    if (kind === "interim") return waiting;
    const limit = this.#options.stateful ? 1 : this.#options.maxInFlight;
    waiting.sort((a, b) => a.order - b.order);
    return waiting.slice(0, Math.max(0, limit - this.#count(lane, "final", "running")));
  }

  #pendingFinals(lane: SimulatedLane): number {
    return this.#count(lane, "final", "running") + this.#count(lane, "final", "waiting");
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

/**
 * Runs `count` random histories. Returns the number of jobs. An error names the seed of the history that broke a rule;
 * `SCHEDULE_SEED=n` repeats it.
 */
export function runSchedules(count: number): number {
  const only = process.env["SCHEDULE_SEED"];
  const first = only === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(only);
  let jobs = 0;
  for (let seed = first; seed < first + (only === undefined ? count : 1); seed++) {
    try {
      jobs += new ScheduleSimulation(seed).run();
    } catch (error) {
      throw new Error(`SCHEDULE_SEED=${seed} ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return jobs;
}
