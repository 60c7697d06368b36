import { expect, test } from "bun:test";

import { SimplePipeline } from "../../src/pipeline/simple.ts";
import { outcomeOf, PipelineRun } from "../support/pipeline-harness.ts";

const make = (): PipelineRun => new PipelineRun({ make: (answers) => new SimplePipeline(answers, 70) });
const FAILED = { status: "failed", code: "worker_crashed", message: "gone", queueMs: 1, inferMs: 2 } as const;

test("blocks lie on a fixed grid, and the last one is shorter", () => {
  const run = make().push(new Float32Array(69));
  expect(run.waiting).toEqual([]);
  run.push([0]);
  expect(run.waiting).toEqual(["final 0 70"]);
  run.push(new Float32Array(150));
  expect(run.waiting).toEqual(["final 0 70", "final 70 140", "final 140 210"]);
  run.end();
  expect(run.waiting).toEqual(["final 0 70", "final 70 140", "final 140 210", "final 210 220"]);
  expect(run.end().jobs).toHaveLength(4);
});

test("a stream that ends on the grid or without audio has no block of nothing", () => {
  expect(make().end().waiting).toEqual([]);
  expect(make().push(new Float32Array(70)).end().waiting).toEqual(["final 0 70"]);
});

test("a segment has its bounds in seconds and the model's output, and no is_final", () => {
  const run = make().push(new Float32Array(140)).answerAll();
  expect(run.events).toEqual([
    { type: "segment", start_time: 0, end_time: 0.07, count: 70 },
    { type: "segment", start_time: 0.07, end_time: 0.14, count: 70 },
  ]);
  expect(run.answers.tally).toEqual({ inferred: 140, silent: 0, failed: 0, segments: 2, interims: 0, errors: 0 });
});

test("results that come in any order go out in the order of the audio, with errors in their places", () => {
  const run = make().push(new Float32Array(280));
  run.answer(3);
  expect(run.said()).toEqual([]);
  run.answer(1, FAILED);
  expect(run.said()).toEqual([]);
  expect(run.needed).toBe(0);
  run.answer(0);
  expect(run.said()).toEqual(["segment 0 70", "error 70 140"]);
  expect(run.needed).toBe(140);
  run.answer(0);
  expect(run.said()).toEqual(["segment 140 210", "segment 210 280"]);
  expect(run.answers.tally).toMatchObject({ inferred: 210, failed: 70, segments: 3, errors: 1 });
});

test("an error in the place of a result has its code, its bounds, and is not fatal", () => {
  const run = make().push(new Float32Array(70)).answer(0, FAILED);
  expect(run.events).toEqual([
    {
      type: "error",
      code: "worker_crashed",
      message: "gone",
      fatal: false,
      retryable: true,
      retry_after_ms: expect.any(Number),
      start_time: 0,
      end_time: 0.07,
    },
  ]);
});

test("flush ends the partial block, the grid begins anew, and flushed follows the results that it caused", () => {
  const run = make().push(new Float32Array(100)).flush();
  expect(run.waiting).toEqual(["final 0 70", "final 70 100"]);
  run.push(new Float32Array(70));
  expect(run.waiting.at(-1)).toBe("final 100 170");
  run.answer(1);
  expect(run.said()).toEqual([]);
  run.answer(0);
  expect(run.said()).toEqual(["segment 0 70", "segment 70 100", "flushed 100"]);
  expect(run.answers.pending).toBe(1);
});

test("flush with nothing to end is answered at once", () => {
  const run = make().flush();
  expect(run.said()).toEqual(["flushed 0"]);
  run.push(new Float32Array(70)).answerAll().flush().flush();
  expect(run.said()).toEqual(["segment 0 70", "flushed 70", "flushed 70"]);
});

test("abort names each block that has no answer, and what had not become one", () => {
  const run = make().push(new Float32Array(160)).flush();
  run.push(new Float32Array(30)).answer(1);
  run.abort(250, "overloaded", "full");
  expect(run.said()).toEqual(["error 0 70", "segment 70 140", "error 140 160", "flushed 160", "error 160 250"]);
  expect(run.answers.tally).toEqual({ inferred: 70, silent: 0, failed: 180, segments: 1, interims: 0, errors: 3 });
  expect(run.answers.pending).toBe(0);
});

test("timing has the time in the queue, the time in the model and the lag of the results", () => {
  const lagMs = (position: number): number => 1000 - position;
  const run = new PipelineRun({ make: (answers) => new SimplePipeline(answers, 70), options: { lagMs } }).push(
    new Float32Array(70),
  );
  const [job] = run.jobs;
  if (job === undefined) throw new Error("no job");
  const outcome = outcomeOf(job);
  if (outcome.status !== "ok") throw new Error("not ok");
  run.answer(0, { ...outcome, queueMs: 3, inferMs: 4 });
  expect(run.events[0]).toMatchObject({ timing: { queue_ms: 3, infer_ms: 4, lag_ms: 930 } });
});

test("a result's audio is announced in the event and handed on beside it", () => {
  const run = make().push(new Float32Array(70));
  const [job] = run.jobs;
  if (job === undefined) throw new Error("no job");
  const audio = { samples: new Float32Array(7), sampleRate: 8000 };
  const outcome = outcomeOf(job);
  if (outcome.status !== "ok") throw new Error("not ok");
  run.answer(0, { ...outcome, audio });
  expect(run.events).toEqual([
    {
      type: "segment",
      start_time: 0,
      end_time: 0.07,
      count: 70,
      audio: { bytes: 28, sample_rate: 8000 },
      resultAudio: audio,
    },
  ]);
});

test("an unexpected outcome, or a final that was dropped, throws", () => {
  const run = make().push(new Float32Array(70));
  expect(() =>
    run.pipeline.resolved({ kind: "final", start: 0, end: 70 }, outcomeOf({ kind: "final", start: 0, end: 70 })),
  ).toThrow("not expected");
  expect(() => run.answer(0, { status: "dropped" })).toThrow("was dropped");
});

test("times are computed from the sample, not added up", () => {
  const run = new PipelineRun({ make: (answers) => new SimplePipeline(answers, 441), options: { sampleRate: 44_100 } });
  for (let i = 0; i < 1000; i++) run.push(new Float32Array(441)).answerAll();
  for (const [i, event] of run.events.entries()) {
    expect(event).toMatchObject({ start_time: (i * 441) / 44_100, end_time: ((i + 1) * 441) / 44_100 });
  }
});
