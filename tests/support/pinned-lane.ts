import { expect } from "bun:test";

import type { Job, JobFailure, Outcome } from "../../src/model/job.ts";
import { PipelineRun, type PipelineSetup } from "./pipeline-harness.ts";

const TIMES = { queueMs: 0, inferMs: 0 };

/** Whether an utterance ends with these samples, as the model hears it. */
export type Endpoint = (start: number, end: number) => boolean;

/**
 * The lane of one channel to a worker with a pinned model that counts: a step returns the samples that the stream was
 * given since the last `finish`, and so does `finish`.
 */
export class PinnedLane {
  /** How often each sample was given to a stream. */
  readonly given: number[] = [];
  /** Samples of the current utterance; undefined: the worker has no stream. */
  #heard: number | undefined;
  readonly #endpoint: Endpoint;

  constructor(endpoint: Endpoint = () => false) {
    this.#endpoint = endpoint;
  }

  /** The worker ends between two calls; another takes its place. */
  die(): void {
    this.#heard = undefined;
  }

  /** @param thrown by the model, whose worker goes on */
  fail(job: Job, code: JobFailure, thrown = code === "inference_failed"): Outcome {
    this.#give(job);
    if (!thrown) this.#heard = undefined;
    return { status: "failed", code, message: "as the test wants", ...(thrown && { thrown }), ...TIMES };
  }

  run(job: Job): Outcome {
    const { step, start, end } = job;
    expect(job.state).toBeUndefined();
    this.#give(job);
    const isOpened = step === "start" || this.#heard === undefined;
    if (isOpened) this.#heard = 0;
    let output: Record<string, unknown> | undefined;
    if (step === "finish") {
      expect(end).toBe(start);
      if (!isOpened) output = { count: this.#heard };
      this.#heard = isOpened ? undefined : 0;
    } else {
      expect(end).toBeGreaterThan(start);
      this.#heard! += end - start;
      output = { count: this.#heard };
    }
    const isEndpoint = step !== "finish" && this.#endpoint(start, end);
    return {
      status: "ok",
      output,
      ...(isOpened && { opened: true }),
      ...(isEndpoint && { endpoint: true }),
      ...{ worker: 0, batchSize: 1, ...TIMES },
    };
  }

  #give({ start, end }: Job): void {
    for (let at = start; at < end; at++) this.given[at] = (this.given[at] ?? 0) + 1;
  }
}

/** A pipeline of a pinned model on a lane of its own. */
export class PinnedRun extends PipelineRun {
  readonly lane: PinnedLane;

  constructor(setup: PipelineSetup, endpoint?: Endpoint) {
    super(setup);
    this.lane = new PinnedLane(endpoint);
  }

  /** Runs the job that waits. There is one at most. */
  run(): this {
    return this.answer(0, this.lane.run(this.jobs[0]!));
  }

  fail(code: JobFailure, thrown?: boolean): this {
    return this.answer(0, this.lane.fail(this.jobs[0]!, code, thrown));
  }

  override answerAll(): this {
    while (this.jobs.length > 0) this.run();
    return this;
  }
}
