import type { Outcome } from "../../src/model/job.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import type { Lane } from "../../src/pool/lane.ts";
import { ManualClock } from "./manual-clock.ts";
import { TestPool, type TestPoolOptions } from "./pool-harness.ts";
import { ScriptedHosts } from "./scripted-host.ts";

/** A pool whose hosts and clock are in the hands of the test. */
export class ScriptedPool extends TestPool {
  readonly hosts: ScriptedHosts;
  readonly clock: ManualClock;
  readonly outcomes: Outcome[] = [];

  constructor(info: Partial<ModelInfo> = {}, options: Partial<TestPoolOptions> = {}) {
    const [hosts, clock] = [new ScriptedHosts(), new ManualClock()];
    super({ model: "scripted", inferenceTimeoutMs: 100, startHost: hosts.start, clock, ...options });
    this.hosts = hosts;
    this.clock = clock;
    for (const host of hosts.started) host.becomeReady(info);
  }

  /** Submits a job, records its outcome, and lets the pool start it. */
  async add(lane: Lane, job: Parameters<TestPool["submit"]>[2] = {}): Promise<void> {
    void this.submit(lane, [0], job).then((outcome) => this.outcomes.push(outcome));
    await turn();
  }
}

/** Lets all microtasks run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
