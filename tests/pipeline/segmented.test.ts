import { expect, test } from "bun:test";

import { segmented } from "../../src/pipeline/segmented.ts";
import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { PipelineRun, segmentedSetup } from "../support/pipeline-harness.ts";

const make = (...options: Parameters<typeof segmentedSetup>): PipelineRun =>
  new PipelineRun(segmentedSetup(...options));

const FAILED = { status: "failed", code: "inference_timeout", message: "late", queueMs: 1, inferMs: 2 } as const;

test("silence gives no events and no jobs, is counted, and keeps no more than the pre-roll", () => {
  const run = make().hear("....................").end();
  expect(run.said()).toEqual([]);
  expect(run.waiting).toEqual([]);
  expect(run.needed).toBe(175);
  expect(run.answers.tally).toMatchObject({ inferred: 0, silent: 200, failed: 0 });
});

test("an utterance gives its speech events at once and a final when it is answered", () => {
  const run = make().hear("....##");
  expect(run.said()).toEqual(["active 40"]);
  run.hear("#.....");
  expect(run.said()).toEqual([]);
  run.hear(".");
  expect(run.said()).toEqual(["inactive 70"]);
  expect(run.waiting).toEqual(["final 15 105"]);
  run.answerAll().end();
  expect(run.events).toEqual([{ type: "segment", start_time: 0.015, end_time: 0.105, is_final: true, count: 90 }]);
  expect(run.answers.tally).toEqual({ inferred: 90, silent: 40, failed: 0, segments: 1, interims: 0, errors: 0 });
});

test("speech events do not wait for the results of earlier utterances", () => {
  const run = make().hear("###......###......");
  expect(run.said()).toEqual(["active 0", "inactive 30", "active 90", "inactive 120"]);
  expect(run.waiting).toEqual(["final 0 65", "final 65 155"]);
  run.answer(1);
  expect(run.said()).toEqual([]);
  run.answer(0, FAILED);
  expect(run.said()).toEqual(["error 0 65", "segment 65 155"]);
});

test("interims come only on request, once per interval of speech, and carry the start of their utterance", () => {
  expect(make().hear("########################").waiting).toEqual([]);
  const run = make({ interimEvery: 50 }).hear("...##########");
  expect(run.waiting).toEqual(["interim 5 100"]);
  run.answer(0).hear("#####");
  expect(run.events.at(-1)).toEqual({ type: "segment", start_time: 0.005, end_time: 0.1, is_final: false, count: 95 });
  expect(run.waiting).toEqual(["interim 5 150"]);
  run.hear("......").answer(0);
  // Its own final is on its way.
  expect(run.said()).toEqual(["active 30", "interim 5 100", "inactive 180"]);
  run.answerAll();
  expect(run.said()).toEqual(["segment 5 215"]);
  expect(run.answers.tally).toMatchObject({ interims: 1, segments: 1 });
});

test("an interim that comes after its own final is dropped, and so is one that would precede an earlier final", () => {
  const late = make({ interimEvery: 50 }).hear("#######......");
  expect(late.waiting).toEqual(["interim 0 70", "interim 0 120", "final 0 105"]);
  late.answer(2).answer(0).answer(0);
  expect(late.said()).toEqual(["active 0", "inactive 70", "segment 0 105"]);
  const early = make({ interimEvery: 30 }).hear("##......######");
  expect(early.waiting).toEqual(["interim 0 50", "final 0 55", "interim 55 130"]);
  early.answer(2).answer(0);
  expect(early.said()).toEqual(["active 0", "inactive 20", "active 80"]);
  early.answer(0);
  early.hear("###").answer(0);
  expect(early.said()).toEqual(["segment 0 55", "interim 55 160"]);
});

test("a failed interim gives no error and counts as an interim only", () => {
  const run = make({ interimEvery: 20 }).hear("######").answer(0, FAILED);
  expect(run.said()).toEqual(["active 0"]);
  run.answer(0, { status: "dropped" });
  expect(run.said()).toEqual([]);
  expect(run.answers.tally).toMatchObject({ interims: 1, failed: 0, errors: 0 });
});

test("an utterance of full length is cut, and the next goes on at that sample without speech events", () => {
  const run = make({ settings: { pre_roll_ms: 0 } })
    .hear("#".repeat(110))
    .answerAll();
  expect(run.said()).toEqual(["active 0", "segment 0 990"]);
  run.hear("......").answerAll();
  expect(run.said()).toEqual(["inactive 1100", "segment 990 1135"]);
  expect(run.end().answers.tally).toMatchObject({ inferred: 1135, silent: 25 });
});

test("flushed follows the result that it caused; without speech it follows what came before", () => {
  const run = make().hear("...###").push(new Float32Array(4)).flush();
  expect(run.said()).toEqual(["active 30", "inactive 64"]);
  expect(run.waiting).toEqual(["final 5 64"]);
  run.flush();
  run.answerAll();
  expect(run.said()).toEqual(["segment 5 64", "flushed 64", "flushed 64"]);
});

test("windows go on as they were behind a flush inside of one", () => {
  const run = make();
  run.push(new Float32Array(7)).flush();
  run.push(new Float32Array(3)).hear("###......");
  expect(run.said()).toEqual(["flushed 7", "active 10", "inactive 40"]);
});

test("the end of the stream ends an open utterance, and what no window decided is silence", () => {
  const run = make({ settings: { post_roll_ms: 0 } })
    .hear("..###")
    .push(new Float32Array(7))
    .end()
    .answerAll();
  expect(run.said()).toEqual(["active 20", "inactive 50", "segment 0 50"]);
  expect(run.answers.tally).toMatchObject({ inferred: 50, silent: 7 });
});

test("abort names the finals without an answer, and the open utterance up to the clock", () => {
  const run = make().hear("......###......###......####");
  run.answer(1);
  run.abort(300, "internal", "gone");
  expect(run.said().slice(-3)).toEqual(["error 35 125", "segment 125 215", "error 215 300"]);
  expect(run.answers.tally).toMatchObject({ silent: 35, failed: 175, inferred: 90, errors: 2 });
});

test("an abort in silence names only the samples that no window has decided", () => {
  const run = make().hear("......").push(new Float32Array(5));
  run.abort(90, "internal", "gone");
  expect(run.said()).toEqual(["error 60 90"]);
  expect(run.answers.tally).toMatchObject({ silent: 60, failed: 30 });
  const quiet = make().hear("......");
  quiet.abort(60, "internal", "gone");
  expect(quiet.said()).toEqual([]);
});

test("timing is added to interims and finals", () => {
  const run = make({ interimEvery: 20, lagMs: () => 5 })
    .hear("####")
    .answerAll()
    .end()
    .answerAll();
  const timings = run.events.flatMap((event) => (event.type === "segment" ? [event["timing"]] : []));
  expect(timings).toEqual([
    { queue_ms: 0, infer_ms: 0, lag_ms: 5 },
    { queue_ms: 0, infer_ms: 0, lag_ms: 5 },
  ]);
});

test("a floor_dbfs is in started, and refused with a detector that has none", () => {
  const start = { interim_results: false, interim_interval_ms: 500 };
  const context = { sampleRate: 16_000, keepsState: false, maxHoldMs: 100_000 };
  const startedVad = (detector: string, vad?: { floor_dbfs: number }) =>
    segmented.prepare({ ...start, ...(vad && { vad }) }, { ...VAD_DEFAULTS, detector }, context).started.vad;
  expect(startedVad("energy")?.floor_dbfs).toBe(-70);
  expect(startedVad("energy", { floor_dbfs: -90.5 })?.floor_dbfs).toBe(-90.5);
  expect(JSON.stringify(startedVad("fixed"))).not.toContain("floor_dbfs");
  expect(() => startedVad("fixed", { floor_dbfs: -90 })).toThrow(
    "vad.floor_dbfs: found -90; allowed: no value, since the noise floor of this server's detector is -50 dBFS",
  );
});

test("a channel must hold the longest utterance, its pre-roll and a window of the detector", () => {
  const start = { interim_results: false, interim_interval_ms: 500 };
  const context = { sampleRate: 16_000, keepsState: false, maxHoldMs: 100_000 };
  for (const [detector, windowMs] of [
    ["energy", 10],
    ["fixed", 20],
  ] as const) {
    const section = { ...VAD_DEFAULTS, detector };
    expect(segmented.prepare(start, section, context).holdsMs).toBe(30_200 + windowMs);
    const tight = { ...context, maxHoldMs: 30_200 + windowMs - 1 };
    expect(() => segmented.prepare(start, section, tight)).toThrow("vad.max_utterance_ms: found 30000");
  }
});
