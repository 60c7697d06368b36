import type { JobResult } from "../../src/model/job.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import type { HostEvents, HostExit, LaneJob, StartHost, WorkerHost } from "../../src/pool/worker-host.ts";

const INFO: ModelInfo = {
  name: "scripted",
  sampleRate: 16_000,
  stateful: false,
  disposes: false,
  maxBatch: 1,
  maxBatchWaitMs: 0,
  idempotent: false,
  nativeAddon: false,
  warmUpMs: 0,
  warmedByCall: false,
  loadMs: 0,
};

/** A host without a model: the test decides when it is ready, answers and ends. */
export class ScriptedHost implements WorkerHost {
  readonly calls: { readonly call: number; readonly jobs: readonly LaneJob[] }[] = [];
  readonly forgotten: number[] = [];
  closing = false;
  terminated = false;
  readonly #events: HostEvents;

  constructor(events: HostEvents) {
    this.#events = events;
  }

  call(call: number, jobs: readonly LaneJob[]): void {
    this.calls.push({ call, jobs });
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
    this.#events.done({
      call: last.call,
      inferMs: 1,
      results: results.length > 0 ? results : last.jobs.map(() => ({ output: {} })),
    });
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
