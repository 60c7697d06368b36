import type { JobResult } from "../../src/model/job.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import type {
  AbortReason,
  CallResult,
  HostEvents,
  HostExit,
  LaneJob,
  StartHost,
  WorkerHost,
} from "../../src/pool/worker-host.ts";
import type { ModelReport } from "../../src/worker/model-reports.ts";

const INFO: ModelInfo = {
  name: "scripted",
  sampleRate: 16_000,
  stateful: false,
  pinned: false,
  disposes: false,
  maxBatch: 1,
  maxBatchWaitMs: 0,
  idempotent: false,
  nativeAddon: false,
  warmUpMs: 0,
  warmedByCall: false,
  loadMs: 0,
};

interface HostCall {
  readonly call: number;
  readonly jobs: readonly LaneJob[];
}

/** A host without a model: the test decides when it is ready, answers and ends. */
export class ScriptedHost implements WorkerHost {
  ahead = 0;
  exclusive = false;
  /** Number of the last call that the model has taken; undefined: each is taken at once. */
  taken: number | undefined;
  readonly calls: HostCall[] = [];
  readonly forgotten: number[] = [];
  readonly aborted: [call: number, reason: AbortReason][] = [];
  /** Results for `poll`. */
  readonly unreported: CallResult[] = [];
  closing = false;
  terminated = false;
  readonly #events: HostEvents;

  constructor(events: HostEvents) {
    this.#events = events;
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    this.calls.push({ call, jobs });
  }

  withdraw(call: number): boolean {
    if (this.taken === undefined || call <= this.taken || this.calls.at(-1)?.call !== call) return false;
    this.calls.pop();
    return true;
  }

  hasTaken(call: number): boolean {
    return this.taken === undefined || call <= this.taken;
  }

  abort(call: number, reason: AbortReason): void {
    this.aborted.push([call, reason]);
  }

  poll(): readonly CallResult[] {
    return this.unreported.splice(0);
  }

  forget(lane: number): void {
    this.forgotten.push(lane);
  }

  close(): void {
    this.closing = true;
  }

  terminate(): void {
    this.terminated = true;
  }

  becomeReady(info: Partial<ModelInfo> = {}): void {
    this.#events.ready({ ...INFO, ...info });
  }

  /** Ends the last call, by default with an empty output for each job. */
  answer(...results: JobResult[]): void {
    const last = this.calls.at(-1);
    if (last === undefined) throw new Error("the host has no call");
    this.#events.done([this.result(last, results)]);
  }

  /** Ends these calls at once, each with an empty output for each job. */
  answerAll(calls: readonly HostCall[]): void {
    this.#events.done(calls.map((call) => this.result(call)));
  }

  result({ call, jobs }: HostCall, results: readonly JobResult[] = []): CallResult {
    return { call, inferMs: 1, results: results.length > 0 ? results : jobs.map(() => ({ output: {} })) };
  }

  report(report: ModelReport): void {
    this.#events.reported(report);
  }

  exit(exit: HostExit = { cause: "exit code 1" }): void {
    this.#events.exited(exit);
  }
}

/** All hosts that a pool has started, in order. */
export class ScriptedHosts {
  readonly started: ScriptedHost[] = [];
  readonly start: StartHost = (_options, events) => {
    const host = new ScriptedHost(events);
    this.started.push(host);
    return host;
  };

  get last(): ScriptedHost {
    return this.started.at(-1)!;
  }
}
