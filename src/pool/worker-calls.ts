import type { AssignedCall, QueuedJob, StreamTurns } from "./queued-job.ts";

/** The calls of one worker, or of a place of it: the one that it runs, and those that it takes next by itself. */
export class WorkerCalls {
  readonly worker: number;
  readonly place: number;
  readonly #timeoutMs: number;
  readonly #calls: AssignedCall[] = [];
  /** Streams of the jobs, each with the number of its jobs. */
  readonly #streams = new Map<StreamTurns, number>();
  /** When ends were reported last, and before that. */
  #heardMs = -Infinity;
  #heardBeforeMs = -Infinity;

  /** @param timeoutMs longest time for one call */
  constructor(worker: number, place: number, timeoutMs: number) {
    this.worker = worker;
    this.place = place;
    this.#timeoutMs = timeoutMs;
  }

  get count(): number {
    return this.#calls.length;
  }

  /** All calls, in order. */
  get all(): readonly AssignedCall[] {
    return [...this.#calls];
  }

  /** The call that runs or that the worker takes first. There must be one; so for `last`. */
  get first(): AssignedCall {
    return this.#calls[0]!;
  }

  get last(): AssignedCall {
    return this.#calls.at(-1)!;
  }

  find(number: number): AssignedCall | undefined {
    // Calls end in order, so that it is nearly always the first.
    return this.#calls.find((call) => call.number === number);
  }

  /** Returns whether a job of the stream is among the calls. */
  has(stream: StreamTurns): boolean {
    return this.#streams.has(stream);
  }

  add(number: number, jobs: readonly QueuedJob[], now: number): AssignedCall {
    const call: AssignedCall = {
      number,
      worker: this.worker,
      place: this.place,
      jobs,
      kind: jobs[0]?.kind ?? "final",
      assignedMs: now,
      startedMs: undefined,
      deadlineMs: Infinity,
      expired: false,
    };
    this.#calls.push(call);
    for (const job of jobs) {
      const { stream } = job.lane;
      const count = this.#streams.get(stream) ?? 0;
      if (count === 0) stream.workers++;
      this.#streams.set(stream, count + 1);
      job.call = call;
    }
    if (this.#calls.length === 1) this.#start(call, now, now);
    return call;
  }

  /**
   * Removes a call, which has ended or was withdrawn. If it was the first, the next one has started when it ended.
   * @param inferMs time in the model; undefined: not known
   * @returns the call that was ahead and is not any more; undefined: none was
   */
  remove(call: AssignedCall, now: number, inferMs = Infinity): AssignedCall | undefined {
    const index = this.#calls.indexOf(call);
    if (index < 0) throw new Error(`worker ${this.worker} has no call ${call.number}`);
    this.#calls.splice(index, 1);
    for (const job of call.jobs) {
      const { stream } = job.lane;
      const count = this.#streams.get(stream)!;
      if (count > 1) this.#streams.set(stream, count - 1);
      else {
        this.#streams.delete(stream);
        stream.workers--;
      }
      job.call = undefined;
    }
    if (index > 0) return call;
    const [next] = this.#calls;
    // The end was reported late when the next call was given out after it.
    if (next !== undefined) this.#start(next, Math.max(next.assignedMs, this.#endOf(call, now, inferMs)), now);
    return next;
  }

  /**
   * Estimates when a call has ended, which is reported some time later, together with others. It had not ended when ends
   * were reported before.
   */
  #endOf({ startedMs, assignedMs }: AssignedCall, now: number, inferMs: number): number {
    if (now > this.#heardMs) this.#heardBeforeMs = this.#heardMs;
    this.#heardMs = now;
    return Math.min(now, Math.max(this.#heardBeforeMs, (startedMs ?? assignedMs) + inferMs));
  }

  /** The deadline begins when it is known that the call has started. */
  #start(call: AssignedCall, startedMs: number, now: number): void {
    call.startedMs = startedMs;
    call.deadlineMs = now + this.#timeoutMs;
  }
}
