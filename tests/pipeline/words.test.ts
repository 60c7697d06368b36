import { describe, expect, test } from "bun:test";

import type { Job, Outcome } from "../../src/model/job.ts";
import { Answers } from "../../src/pipeline/answers.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { moveWords } from "../../src/pipeline/words.ts";
import { PinnedRun } from "../support/pinned-lane.ts";
import { pinnedSetup, PipelineRun, SETUPS } from "../support/pipeline-harness.ts";

const WORDS = [
  { word: "one", start: 0, end: 0.1 },
  { word: "two", start: 0.2, end: 0.3, confidence: 0.5, speaker: "a" },
];

function result(output: Record<string, unknown>, more: object = {}): Outcome {
  return { status: "ok", output, queueMs: 0, inferMs: 0, worker: 0, batchSize: 1, ...more };
}

describe("words of a result", () => {
  test("are moved to the stream's clock, rounded to microseconds, with all other fields as they are", () => {
    expect(moveWords(WORDS, 0.1)).toEqual([
      { word: "one", start: 0.1, end: 0.2 },
      { word: "two", start: 0.3, end: 0.4, confidence: 0.5, speaker: "a" },
    ] as never);
    expect(moveWords([], 7)).toEqual([]);
    expect(moveWords([{ word: "x", start: 1 / 3, end: 1 / 3 }], 3600)).toEqual([
      { word: "x", start: 3600.333333, end: 3600.333333 },
    ]);
  });

  test.each<[string, unknown]>([
    ["are no array", { word: "one", start: 0, end: 1 }],
    ["are text", "one two"],
    ["are texts", ["one"]],
    ["hold null", [null]],
    ["have no text", [{ start: 0, end: 1 }]],
    ["have no end", [{ word: "one", start: 0 }]],
    ["have times as text", [{ word: "one", start: "0", end: "1" }]],
    ["begin before the audio", [{ word: "one", start: -0.1, end: 1 }]],
    ["end before they begin", [{ word: "one", start: 1, end: 0.9 }]],
    ["have a time that is no number", [{ word: "one", start: 0, end: Number.NaN }]],
    ["are odd behind good ones", [...WORDS, { word: 3, start: 0, end: 1 }]],
  ])("that %s are passed on as they are, and reported", (_what, words) => {
    let reports = 0;
    const answers = new Answers({ sampleRate: 1000, oddWords: () => void (reports += 1) });
    const job = answers.expect({ kind: "final", start: 500, end: 600 })!;
    const [event] = answers.settle(job, result({ text: "?", words: words as never }));
    expect(event).toMatchObject({ type: "segment", text: "?", words });
    expect(reports).toBe(1);
  });

  test("on /segmented count from the start of the segment, in interims and finals", () => {
    const run = new PipelineRun(SETUPS["segmented"]!(50)).hear("...##########......");
    while (run.jobs.length > 0) run.answer(0, result({ words: WORDS }));
    for (const event of run.events.filter(({ type }) => type === "segment")) {
      expect(event).toMatchObject({ start_time: 0.005, words: [{ start: 0.005, end: 0.105 }, { start: 0.205 }] });
    }
  });

  test("of a pinned model on /segmented count from the start of the segment, whatever the step", () => {
    const run = new PinnedRun(pinnedSetup({ interimEvery: 30 })).hear("...##########......");
    while (run.jobs.length > 0) run.answer(0, { ...run.lane.run(run.jobs[0]!), output: { words: WORDS } } as Outcome);
    const segments = run.events.filter(({ type }) => type === "segment");
    expect(segments.length).toBeGreaterThan(3);
    for (const event of segments) expect(event).toMatchObject({ words: [{ start: 0.005 }, { start: 0.205 }] });
  });

  test("on /simple and /stateful count from the start of the block", () => {
    for (const name of ["simple", "stateful"]) {
      const run = new PipelineRun(SETUPS[name]!()).push(new Float32Array(60));
      while (run.jobs.length > 0) run.answer(0, result({ words: WORDS }, { state: 1 }));
      const starts = run.events.map((event) => (event as unknown as { words: { start: number }[] }).words[0]?.start);
      expect(starts).toEqual([0, 0.02, 0.04]);
    }
  });
});

test("words that a model with state returns at the end of a stream are on the stream's clock already", () => {
  const start = { interim_results: false, interim_interval_ms: 500 };
  const context = { sampleRate: 1000, keepsState: true, maxHoldMs: Infinity };
  const { create } = PATTERNS["stateful"]!.prepare(start, { block_ms: 20 }, context);
  const run = new PipelineRun({ make: create }).push(new Float32Array(20)).end();
  run.answer(0, result({}, { output: undefined, state: 1 })).answer(0, result({ words: WORDS }));
  expect(run.events).toMatchObject([{ type: "data", words: WORDS }]);
});

describe("an interim for which the model returns nothing", () => {
  const declined = result({}, { output: undefined });

  test("gives no event and does not count", () => {
    const run = new PipelineRun(SETUPS["segmented"]!(50)).hear("##########");
    expect(run.jobs[0]).toMatchObject({ kind: "interim" });
    run.answer(0, declined);
    expect(run.said()).toEqual(["active 0"]);
    expect(run.answers.tally.interims).toBe(0);
  });

  test("is not one that has audio alone", () => {
    const answers = new Answers({ sampleRate: 1000 });
    const job: Job = { kind: "interim", start: 0, end: 10 };
    const audio = { samples: new Float32Array(3), sampleRate: 1000 };
    expect(answers.interim(job, result({}, { output: undefined, audio }))).toMatchObject({ is_final: false });
    expect(answers.tally.interims).toBe(1);
  });
});
