import { describe, expect, test } from "bun:test";

import type { Outcome } from "../../src/model/job.ts";
import { stateful } from "../../src/pipeline/stateful.ts";
import { PinnedRun } from "../support/pinned-lane.ts";
import { RATE } from "../support/pipeline-harness.ts";

const BLOCK = 20;

function make(): PinnedRun {
  const context = { sampleRate: RATE, keepsState: false, pinned: { stepMs: 100 }, maxHoldMs: Infinity };
  const start = { interim_results: false, interim_interval_ms: 500 };
  const { create } = stateful.prepare(start, { block_ms: BLOCK }, context);
  return new PinnedRun({ make: create });
}

const blocks = (count: number) => new Float32Array(count * BLOCK);

describe("a pinned model on /stateful", () => {
  test("gets the blocks in turn, without a state, and what it returns at the end is sent as data", () => {
    const run = make().push(blocks(2)).push([0]);
    expect(run.waiting).toEqual(["start 0 20"]);
    run.run();
    expect(run.waiting).toEqual(["step 20 40"]);
    run.run().end();
    expect(run.waiting).toEqual(["step 40 41"]);
    run.run();
    expect(run.waiting).toEqual(["finish 41 41"]);
    run.run();
    expect(run.said()).toEqual(["segment 0 20", "segment 20 40", "segment 40 41", "data"]);
    expect(run.answers.tally).toMatchObject({ inferred: 41, segments: 3, errors: 0 });
  });

  test("has no endpoint there, and calls have no utterance", () => {
    const run = make().push(blocks(2));
    expect(run.jobs[0]!.utterance).toBeUndefined();
    run.answer(0, { ...run.lane.run(run.jobs[0]!), endpoint: true } as Outcome);
    expect(run.waiting).toEqual(["step 20 40"]);
  });

  test("goes on after a block for which it throws", () => {
    const run = make().push(blocks(3)).run().fail("inference_failed");
    expect(run.said()).toEqual(["segment 0 20", "error 20 40"]);
    expect(run.waiting).toEqual(["step 40 60"]);
  });

  test("goes on after a block for which it throws an error with a code of its own", () => {
    for (const code of ["model_unavailable", "inference_timeout"] as const) {
      const run = make().push(blocks(3)).run().fail(code, true);
      expect(run.said()).toEqual(["segment 0 20", "error 20 40"]);
      expect(run.waiting).toEqual(["step 40 60"]);
    }
  });

  test("has a new stream after a worker that ended in a block, which is an error", () => {
    const run = make().push(blocks(3)).run().fail("worker_crashed");
    expect(run.events).toMatchObject([
      { type: "segment" },
      { type: "error", code: "worker_crashed", start_time: 0.02, end_time: 0.04 },
      { type: "warning", code: "state_lost" },
    ]);
    expect(run.waiting).toEqual(["start 40 60"]);
  });

  test("reports a worker that ended between two blocks, and answers both", () => {
    const run = make().push(blocks(3)).run();
    run.lane.die();
    run.run();
    expect(run.said()).toEqual(["segment 0 20", "warning", "segment 20 40"]);
    expect(run.waiting).toEqual(["step 40 60"]);
  });

  test("has nothing to finish when the last block took the stream with it, or when there was no audio", () => {
    const run = make().push(blocks(1)).end().fail("worker_crashed");
    expect(run.said()).toEqual(["error 0 20", "warning"]);
    expect(run.jobs).toEqual([]);
    expect(run.answers.pending).toBe(0);
    expect(make().end().jobs).toEqual([]);
  });

  test("has words from the first sample of its stream, also of one that was opened later", () => {
    const run = make().push(blocks(4)).end();
    const output = { words: [{ word: "yes", start: 0.01, end: 0.02 }] };
    const start = () => (run.events.at(-1) as unknown as { words?: { start: number }[] }).words?.[0]?.start;
    const answer = () => run.answer(0, { ...run.lane.run(run.jobs[0]!), output } as Outcome);
    answer();
    expect(start()).toBe(0.01);
    answer();
    expect(start()).toBe(0.01);
    run.fail("worker_crashed");
    answer();
    expect(start()).toBe(0.07);
    answer();
    expect(run.events.at(-1)).toMatchObject({ type: "data", words: [{ start: 0.07 }] });
  });

  test("has no state for a checkpoint once it has heard something", () => {
    const run = make().push(blocks(1));
    expect(run.pipeline.modelState).toBeUndefined();
    expect(run.run().pipeline.modelState).toBe("pinned");
  });
});
