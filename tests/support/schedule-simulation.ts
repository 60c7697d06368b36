import { random } from "../../src/model/built-in/random.ts";
import type { Assignment } from "../../src/pool/assignments.ts";
import type { QueuedJob, SchedulerLane } from "../../src/pool/queued-job.ts";
import type { SchedulerOptions } from "../../src/pool/scheduler.ts";
import { Scheduler } from "../../src/pool/scheduler.ts";

/** A job as the simulation sees it. */
interface Piece {
  readonly lane: SimulatedLane;
  readonly kind: "final" | "interim";
  readonly order: number;
  state: "waiting" | "running" | "cancelled" | "settled";
  calls: number;
  /** -1 while earlier ones of its lane hold it back. */
  waitingSinceMs: number;
}

interface SimulatedLane {
  readonly number: number;
  readonly session: number;
  readonly lane: SchedulerLane<Piece>;
  readonly pieces: Set<Piece>;
  submitted: number;
  lastStarted: number;
}

interface Running {
  readonly call: Assignment<Piece>;
  readonly endsMs: number;
  readonly dies: boolean;
}

const STEPS = 40;

/**
 * One random history of arrivals, slow calls, deaths and cancellations under a virtual clock. Each step checks every
 * rule of the scheduler against the books of the simulation; a broken rule throws.
 */
export class ScheduleSimulation {
  readonly #draw: () => number;
  readonly #options: SchedulerOptions;
  readonly #scheduler: Scheduler<Piece>;
  readonly #running = new Map<number, Running>();
  /** Workers that are down, with the sessions whose call it was and until when it is held against them. */
  readonly #down = new Map<number, { readonly sessions: ReadonlySet<number>; readonly untilMs: number }>();
  readonly #lanes: SimulatedLane[] = [];
  #nowMs = 0;
  #opened = 0;
  #submitted = 0;
  #settled = 0;
  /** Who was served since one began to wait, by kind and place: nobody may be served twice. */
  readonly #passedBy = new Map<string, Set<string>>();

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
      absenceMs: 30,
    };
    this.#scheduler = new Scheduler(this.#options);
    for (let worker = 0; worker < this.#options.workers; worker++) this.#scheduler.workerReady(worker);
    for (let i = this.#integer(1, 6); i > 0; i--) this.#openLane();
  }

  /** Runs the history to its end and until everything is settled; gives the number of jobs. */
  run(): number {
    for (let step = 0; step < STEPS; step++) {
      const dice = this.#draw();
      if (dice < 0.45) this.#submit(this.#anyLane(), "final");
      else if (dice < 0.65) this.#submit(this.#anyLane(), "interim");
      else if (dice < 0.69) this.#close(this.#anyLane());
      else if (dice < 0.73) this.#kill(this.#integer(0, this.#options.workers - 1));
      else if (dice < 0.78) this.#revive();
      else this.#advance(this.#draw() * 20);
      if (this.#chance(0.7)) this.#serve();
    }
    for (let rounds = 0; this.#settled < this.#submitted; rounds++) {
      check(rounds < 2 * this.#submitted, "nothing waits for ever");
      this.#revive();
      this.#serve();
      this.#advance(60);
    }
    while (this.#running.size > 0) this.#advance(60);
    for (const { lane } of this.#lanes) this.#scheduler.closeLane(lane);
    const { finalsPending, finalsWaiting, interimsWaiting, busyWorkers, sessions } = this.#scheduler;
    check(finalsPending + finalsWaiting + interimsWaiting + busyWorkers + sessions === 0, "nothing is left over");
    return this.#submitted;
  }

  #openLane(): void {
    const session = this.#integer(0, 3);
    const lane = this.#scheduler.openLane(session);
    this.#lanes.push({ number: this.#opened++, session, lane, pieces: new Set(), submitted: 0, lastStarted: -1 });
  }

  #anyLane(): SimulatedLane {
    return this.#lanes[this.#integer(0, this.#lanes.length - 1)]!;
  }

  #submit(lane: SimulatedLane, kind: "final" | "interim"): void {
    const order = kind === "final" ? lane.submitted++ : -1;
    const piece: Piece = { lane, kind, order, state: "waiting", calls: 0, waitingSinceMs: -1 };
    const [running, waiting] = [this.#count(lane, "interim", "running"), this.#find(lane, "interim", "waiting")];
    this.#submitted++;
    lane.pieces.add(piece);
    this.#scheduler.submit(lane.lane, kind, piece, this.#nowMs);
    this.#noteWaits(lane);
    this.#takeDropped();
    if (kind === "interim")
      check((piece.state === "settled") === running > 0, "an interim beside a running one is dropped");
    if (waiting && !(kind === "interim" && running > 0))
      check(waiting.state === "settled", "a waiting interim gives way");
  }

  #close(lane: SimulatedLane): void {
    this.#scheduler.closeLane(lane.lane);
    this.#takeDropped();
    for (const { state } of lane.pieces) check(state === "cancelled", "only what runs outlives its lane, unheard");
    this.#lanes.splice(this.#lanes.indexOf(lane), 1);
    this.#openLane();
    this.#forgetWaits();
  }

  #kill(worker: number): void {
    if (this.#down.has(worker)) return;
    this.#goDown(worker);
    this.#ended(this.#scheduler.workerGone(worker, this.#nowMs, true), true);
  }

  #goDown(worker: number): void {
    const sessions = new Set(this.#running.get(worker)?.call.jobs.map(({ payload }) => payload.lane.session));
    this.#running.delete(worker);
    this.#down.set(worker, { sessions, untilMs: this.#nowMs + this.#options.absenceMs });
  }

  #revive(): void {
    for (const worker of this.#down.keys()) this.#scheduler.workerReady(worker);
    this.#down.clear();
  }

  /** Lets time pass, with everything that happens meanwhile. */
  #advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    this.#serve();
    for (let turns = 0; ; turns++) {
      check(turns < 1000, "when there is nothing to do there is nothing due");
      const next = [...this.#running.values()].sort((a, b) => a.endsMs - b.endsMs)[0];
      const dueMs = Math.min(next?.endsMs ?? Infinity, this.#scheduler.nextDueMs());
      if (dueMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      const overdue = this.#scheduler.overdue(this.#nowMs);
      for (const worker of overdue) {
        check(this.#running.get(worker)!.call.deadlineMs <= this.#nowMs, "no call is ended before its deadline");
        this.#goDown(worker);
        this.#ended(this.#scheduler.workerGone(worker, this.#nowMs, false), false);
      }
      if (next && next.endsMs <= this.#nowMs && this.#running.has(next.call.worker)) {
        if (next.dies) this.#kill(next.call.worker);
        else {
          this.#running.delete(next.call.worker);
          this.#ended(this.#scheduler.callEnded(next.call.worker, this.#nowMs), false);
        }
      }
      this.#serve();
    }
    this.#nowMs = untilMs;
    this.#checkNothingWaits();
  }

  #serve(): void {
    for (let call = this.#scheduler.next(this.#nowMs); call; call = this.#scheduler.next(this.#nowMs)) {
      this.#started(call);
    }
    this.#checkNothingWaits();
    for (const { call } of this.#running.values())
      check(this.#nowMs < call.deadlineMs, "no call runs past its deadline");
    const pending = this.#lanes.reduce((sum, lane) => sum + this.#pendingFinals(lane), 0);
    check(this.#scheduler.finalsPending === pending, "pending finals are counted");
  }

  #checkNothingWaits(): void {
    const finals = this.#startable("final");
    if (finals.length > 0 && this.#scheduler.idleWorkers > 0) {
      const mayHold = finals.length < this.#options.maxBatch;
      const { maxBatchWaitMs } = this.#options;
      const held = finals.every(({ waitingSinceMs }) => this.#nowMs < waitingSinceMs + maxBatchWaitMs);
      check(mayHold && held, "no final waits beside an idle worker, except for others to join it");
    }
    if (finals.length === 0 && this.#startable("interim").length > 0 && this.#scheduler.idleWorkers > 0) {
      const mayHold = this.#options.maxBatchWaitMs > 0;
      const ready = this.#options.workers - this.#down.size;
      check(mayHold || this.#interimsRunning() >= ready - 1, "no interim waits for nothing");
    }
  }

  #started(call: Assignment<Piece>): void {
    const { workers, maxBatch, maxBatchWaitMs } = this.#options;
    const pieces = call.jobs.map(({ payload }) => payload);
    const { kind } = pieces[0]!;
    check(!this.#running.has(call.worker) && !this.#down.has(call.worker), "a worker has one call at a time");
    check(pieces.length <= maxBatch, "a batch has its bound");
    check(
      pieces.every((piece) => piece.kind === kind),
      "interims share no call with finals",
    );
    if (kind === "interim") {
      check(this.#startable("final").length === 0, "no interim goes before a final that could run");
      check(this.#interimsRunning() + 1 <= Math.max(1, workers - 1), "one worker is kept free of interims");
    }
    if (kind === "final" && pieces[0]!.calls === 0) {
      const offered = this.#lanes.flatMap((lane) => this.#offeredOf(lane, "final"));
      const due = offered.some(({ waitingSinceMs }) => this.#nowMs >= waitingSinceMs + maxBatchWaitMs);
      check(due || offered.length >= maxBatch, "finals are held for others to join them");
    }
    for (const { session } of new Set(pieces.map(({ lane }) => lane))) {
      check(this.#mayOccupyMore(session), "no session occupies all workers while others have lanes open");
    }
    for (const piece of pieces) this.#start(piece, pieces.length);
    const slow = this.#chance(0.05);
    const endsMs = this.#nowMs + (slow ? 1000 : this.#draw() * 15);
    this.#running.set(call.worker, { call, endsMs, dies: this.#chance(0.1) });
  }

  #start(piece: Piece, together: number): void {
    const { lane, kind } = piece;
    this.#checkTurn(piece);
    check(piece.state === "waiting", "only waiting work starts");
    check(this.#lanes.includes(lane), "no work of a closed lane starts");
    piece.state = "running";
    piece.calls++;
    if (piece.calls > 1) {
      check(this.#options.idempotent && piece.calls === 2 && kind === "final", "only what may be repeated is, once");
      check(together === 1, "what is called again is called alone");
    } else if (kind === "final") {
      check(piece.order === lane.lastStarted + 1, "finals of a lane start in order");
      lane.lastStarted = piece.order;
    }
    const limit = kind === "interim" || this.#options.stateful ? 1 : this.#options.maxInFlight;
    check(this.#count(lane, kind, "running") <= limit, "a lane keeps to its limit");
    this.#forgetWaits();
  }

  /** While one waits, each other session is served at most once, and each other lane of the same session. */
  #checkTurn(piece: Piece): void {
    const served = [`session ${piece.lane.session}`, `lane ${piece.lane.number}`] as const;
    const waiting = new Set(this.#startable(piece.kind).map(({ lane }) => lane));
    const sessions = new Set([...waiting].map(({ session }) => session));
    for (const session of sessions) {
      if (session !== piece.lane.session) this.#pass(`${piece.kind} session ${session}`, served[0]);
    }
    for (const lane of waiting) {
      if (lane === piece.lane || lane.session !== piece.lane.session) continue;
      this.#pass(`${piece.kind} lane ${lane.number}`, served[1]);
    }
    for (const place of served) this.#passedBy.delete(`${piece.kind} ${place}`);
  }

  #pass(waiting: string, served: string): void {
    let passed = this.#passedBy.get(waiting);
    if (!passed) this.#passedBy.set(waiting, (passed = new Set()));
    check(!passed.has(served), `${served} is not served twice while ${waiting} waits`);
    passed.add(served);
  }

  /** Those who no longer wait have not been passed by. */
  #forgetWaits(): void {
    if (this.#passedBy.size === 0) return;
    const waiting = new Set<string>();
    for (const kind of ["final", "interim"] as const) {
      for (const { lane } of this.#startable(kind)) {
        waiting.add(`${kind} session ${lane.session}`).add(`${kind} lane ${lane.number}`);
      }
    }
    for (const place of this.#passedBy.keys()) if (!waiting.has(place)) this.#passedBy.delete(place);
  }

  #ended(jobs: QueuedJob<Piece>[], mayRetry: boolean): void {
    for (const { payload: piece, cancelled } of jobs) {
      check(cancelled === (piece.state === "cancelled"), "what was cancelled is known to be");
      if (cancelled) piece.lane.pieces.delete(piece);
      else this.#settle(piece, "running");
    }
    for (const lane of this.#lanes) {
      for (const piece of lane.pieces) {
        if (piece.state !== "running" || this.#isRunning(piece)) continue;
        check(mayRetry && piece.kind === "final", "only a final whose worker died waits again");
        piece.state = "waiting";
        piece.waitingSinceMs = this.#nowMs;
      }
      this.#noteWaits(lane);
    }
    this.#forgetWaits();
  }

  /** From when on what could run for its own part has waited for a worker, or for company. */
  #noteWaits(lane: SimulatedLane): void {
    for (const piece of this.#offeredOf(lane, "final")) {
      if (piece.waitingSinceMs < 0) piece.waitingSinceMs = this.#nowMs;
    }
  }

  #takeDropped(): void {
    for (const { payload: piece, cancelled } of this.#scheduler.takeDropped()) {
      this.#settle(piece, cancelled ? "running" : "waiting");
      if (!cancelled) continue;
      piece.state = "cancelled";
      piece.lane.pieces.add(piece);
    }
    this.#forgetWaits();
  }

  #settle(piece: Piece, from: Piece["state"]): void {
    check(piece.state === from, "everything is settled once");
    piece.state = "settled";
    piece.lane.pieces.delete(piece);
    this.#settled++;
  }

  #isRunning(piece: Piece): boolean {
    for (const { call } of this.#running.values()) if (call.jobs.some((job) => job.payload === piece)) return true;
    return false;
  }

  #startable(kind: "final" | "interim"): Piece[] {
    return this.#lanes.flatMap((lane) => this.#startableOf(lane, kind));
  }

  #interimsRunning(): number {
    return [...this.#running.values()].filter(({ call }) => call.jobs[0]!.kind === "interim").length;
  }

  /**
   * True when the session leaves a worker to others after one more call, or when there is nobody, or nothing, to leave.
   */
  #mayOccupyMore(session: number): boolean {
    if (this.#lanes.every((lane) => lane.session === session)) return true;
    const lost = [...this.#down.values()].filter(({ sessions, untilMs }) => sessions.size > 0 && this.#nowMs < untilMs);
    const workers = this.#options.workers - this.#down.size + lost.length;
    const running = ({ call }: Running): boolean => call.jobs.some(({ payload }) => payload.lane.session === session);
    const occupied =
      [...this.#running.values()].filter(running).length + lost.filter(({ sessions }) => sessions.has(session)).length;
    return workers < 2 || occupied + 1 < workers;
  }

  #startableOf(lane: SimulatedLane, kind: "final" | "interim"): Piece[] {
    const offered = this.#offeredOf(lane, kind);
    return offered.length > 0 && this.#mayOccupyMore(lane.session) ? offered : [];
  }

  /** What of a lane could run now for its own part: the first waiting ones, as many as its limit leaves room for. */
  #offeredOf(lane: SimulatedLane, kind: "final" | "interim"): Piece[] {
    const waiting = [...lane.pieces].filter((piece) => piece.kind === kind && piece.state === "waiting");
    if (kind === "interim") return waiting;
    const limit = this.#options.stateful ? 1 : this.#options.maxInFlight;
    waiting.sort((a, b) => a.order - b.order);
    return waiting.slice(0, Math.max(0, limit - this.#count(lane, "final", "running")));
  }

  #pendingFinals(lane: SimulatedLane): number {
    return this.#count(lane, "final", "running") + this.#count(lane, "final", "waiting");
  }

  #count(lane: SimulatedLane, kind: Piece["kind"], state: Piece["state"]): number {
    let count = 0;
    for (const piece of lane.pieces) if (piece.kind === kind && piece.state === state) count++;
    return count;
  }

  #find(lane: SimulatedLane, kind: Piece["kind"], state: Piece["state"]): Piece | undefined {
    return [...lane.pieces].find((piece) => piece.kind === kind && piece.state === state);
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
 * Runs `count` histories, and names the seed of one that breaks a rule: `SCHEDULE_SEED=n` repeats it. Returns the
 * number of jobs.
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
