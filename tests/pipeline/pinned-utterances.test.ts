import { describe, expect, test } from "bun:test";

import { type Endpoint, PinnedRun } from "../support/pinned-lane.ts";
import { pinnedSetup } from "../support/pipeline-harness.ts";

const make = (options: Parameters<typeof pinnedSetup>[0] = {}, endpoint?: Endpoint): PinnedRun =>
  new PinnedRun(pinnedSetup(options), endpoint);

/** Runs all jobs. Returns short texts of them. */
function runAll(run: PinnedRun): string[] {
  const jobs: string[] = [];
  while (run.jobs.length > 0) {
    expect(run.jobs).toHaveLength(1);
    jobs.push(...run.waiting);
    run.run();
  }
  return jobs;
}

describe("steps", () => {
  test("begin with the first sample of the segment, pre-roll included, and give each sample once", () => {
    const run = make().hear("....##");
    // 15 to 45 is speech; the next step has not been spoken yet.
    expect(runAll(run)).toEqual(["start 15 45"]);
    expect(runAll(run.hear("#"))).toEqual([]);
    expect(runAll(run.hear("##"))).toEqual(["step 45 75"]);
    expect(runAll(run.hear("......"))).toEqual(["step 75 105", "step 105 125", "finish 125 125"]);
    run.end();
    expect(run.said()).toEqual(["active 40", "inactive 90", "segment 15 125"]);
    expect(run.lane.given.slice(15, 125)).toEqual(new Array(110).fill(1));
    expect(run.answers.tally).toEqual({ inferred: 110, silent: 40, failed: 0, segments: 1, interims: 0, errors: 0 });
  });

  test("wait for each other: one call is under way", () => {
    const run = make().hear("##########......");
    expect(run.waiting).toEqual(["start 0 30"]);
    expect(run.pipeline.busy).toBe(true);
    expect(runAll(run)).toEqual([
      "start 0 30",
      "step 30 60",
      "step 60 90",
      "step 90 120",
      "step 120 135",
      "finish 135 135",
    ]);
    expect(run.pipeline.busy).toBe(false);
  });

  test("in a pause end with the post-roll, and the rest is given when speech goes on", () => {
    const run = make({ settings: { min_silence_ms: 200 } }).hear("######");
    expect(runAll(run)).toEqual(["start 0 30", "step 30 60"]);
    // Speech ended at 60: 95 is the end of the post-roll.
    expect(runAll(run.hear("........"))).toEqual(["step 60 90"]);
    expect(runAll(run.hear("#"))).toEqual(["step 90 120", "step 120 150"]);
    expect(runAll(run.hear("......................"))).toEqual(["step 150 180", "step 180 185", "finish 185 185"]);
  });

  test("are taken without interim results, too, and what they return is not sent then", () => {
    const run = make().hear("##########");
    runAll(run);
    expect(run.said()).toEqual(["active 0"]);
  });

  test("belong to their utterance: numbers count from 0 and are those of the finals", () => {
    const run = make().hear("###......###......");
    const numbers: unknown[] = [];
    while (run.jobs.length > 0) {
      numbers.push(run.jobs[0]!.utterance);
      run.run();
    }
    expect(numbers).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });

  test("of an utterance that has begun while the one before is behind follow its final", () => {
    const run = make().hear("###......###......");
    expect(runAll(run)).toEqual([
      ...["start 0 30", "step 30 60", "step 60 65", "finish 65 65"],
      ...["step 65 95", "step 95 125", "step 125 155", "finish 155 155"],
    ]);
    expect(run.said()).toEqual([
      "active 0",
      "inactive 30",
      "active 90",
      "inactive 120",
      "segment 0 65",
      "segment 65 155",
    ]);
  });
});

describe("interim results", () => {
  test("are what steps return, at most each interval of audio, with the bounds of what has been given", () => {
    const run = make({ interimEvery: 50 }).hear("####################");
    runAll(run);
    expect(run.said()).toEqual(["active 0", "interim 0 60", "interim 0 120", "interim 0 180"]);
    runAll(run.hear("......"));
    expect(run.said()).toEqual(["inactive 200", "segment 0 235"]);
    expect(run.answers.tally).toMatchObject({ interims: 3, segments: 1 });
  });

  test("do not depend on the pace of the model", () => {
    const late = make({ interimEvery: 50 }).hear("####################......");
    runAll(late);
    expect(late.said()).toEqual([
      ...["active 0", "inactive 200", "interim 0 60", "interim 0 120", "interim 0 180", "segment 0 235"],
    ]);
  });

  test("do not depend on it at a step that is the last one, as only the end of the pause shows", () => {
    // Speech from 40 to 70: the utterance is 15 to 105, three whole steps.
    const late = make({ interimEvery: 90 }).hear("....###......");
    runAll(late);
    const live = make({ interimEvery: 90 });
    for (const window of "....###......") runAll(live.hear(window));
    expect(late.said()).toEqual(["active 40", "inactive 70", "interim 15 105", "segment 15 105"]);
    expect(live.said()).toEqual(["active 40", "interim 15 105", "inactive 70", "segment 15 105"]);
    expect(live.answers.tally).toEqual(late.answers.tally);
  });

  test("that the model declines are none, and the next step takes their place", () => {
    const run = make({ interimEvery: 50 }).hear("############");
    run.run().answer(0, { ...(run.lane.run(run.jobs[0]!) as object), output: undefined } as never);
    runAll(run);
    expect(run.said()).toEqual(["active 0", "interim 0 90"]);
    expect(run.answers.tally.interims).toBe(1);
  });
});

describe("the end of a segment", () => {
  test("is at the full length itself, and the next begins on that sample without speech events", () => {
    const run = make({ settings: { max_utterance_ms: 100 } }).hear("###############......");
    expect(runAll(run)).toEqual([
      ...["start 0 30", "step 30 60", "step 60 90", "step 90 100", "finish 100 100"],
      ...["step 100 130", "step 130 160", "step 160 185", "finish 185 185"],
    ]);
    expect(run.said()).toEqual(["active 0", "inactive 150", "segment 0 100", "segment 100 185"]);
  });

  test("is where the model finds an endpoint, and the next begins on that sample without speech events", () => {
    const run = make({}, (start) => start === 30).hear("###############......");
    expect(runAll(run).slice(0, 4)).toEqual(["start 0 30", "step 30 60", "finish 60 60", "step 60 90"]);
    expect(run.said()).toEqual(["active 0", "inactive 150", "segment 0 60", "segment 60 185"]);
  });

  test("by an endpoint leaves no segment without speech: what is left counts as silence", () => {
    const early = make({}, (start) => start === 60);
    for (const windows of ["#########", ".", ".", ".", ".", ".", "."]) runAll(early.hear(windows));
    const late = make({}, (start) => start === 60).hear("#########......");
    runAll(late);
    for (const run of [early, late]) {
      run.end();
      expect(run.answers.tally).toMatchObject({ inferred: 90, silent: 60, failed: 0, segments: 1 });
      expect(run.said().filter((text) => text.startsWith("segment"))).toEqual(["segment 0 90"]);
      expect(run.answers.pending).toBe(0);
    }
  });

  test("by an endpoint in a pause begins the next segment there if the speech goes on", () => {
    const run = make({ settings: { min_silence_ms: 200 } }, (start) => start === 60).hear("######....");
    expect(runAll(run)).toEqual(["start 0 30", "step 30 60", "step 60 90", "finish 90 90"]);
    expect(runAll(run.hear("......"))).toEqual([]);
    expect(run.pipeline.unanswered).toBe(90);
    expect(runAll(run.hear("#"))).toEqual(["step 90 120", "step 120 150"]);
    run.end();
    runAll(run);
    expect(run.said()).toEqual(["active 0", "segment 0 90", "inactive 170", "segment 90 170"]);
  });

  test("by a flush is at the clock, and flushed follows its final", () => {
    const run = make().hear("#######").push([1, 1, 1]).flush();
    expect(runAll(run)).toEqual(["start 0 30", "step 30 60", "step 60 73", "finish 73 73"]);
    expect(run.said()).toEqual(["active 0", "inactive 73", "segment 0 73", "flushed 73"]);
  });

  test("by an endpoint before a flush lets flushed follow both finals, or the one that has speech", () => {
    const run = make({}, (start) => start === 0)
      .hear("#######")
      .flush();
    runAll(run);
    expect(run.said()).toEqual(["active 0", "inactive 70", "segment 0 30", "segment 30 70", "flushed 70"]);
    const pause = make({}, (start) => start === 30)
      .hear("######....")
      .flush();
    runAll(pause);
    expect(pause.said()).toEqual(["active 0", "inactive 100", "segment 0 60", "flushed 100"]);
  });
});

describe("failures", () => {
  test("a step that throws is answered from the start of the segment, and the utterance goes on with a new stream", () => {
    const run = make().hear("##########");
    run.run().fail("inference_failed");
    expect(run.said()).toEqual(["active 0", "error 0 60"]);
    expect(runAll(run.hear("......"))).toEqual(["start 60 90", "step 90 120", "step 120 135", "finish 135 135"]);
    expect(run.said()).toEqual(["inactive 100", "segment 60 135"]);
    expect(run.answers.tally).toMatchObject({ inferred: 75, failed: 60, silent: 0, errors: 1 });
  });

  test.each(["worker_crashed", "inference_timeout"] as const)(
    "a worker that ends in a step (%s) loses the state",
    (code) => {
      const run = make().hear("##########");
      run.run().fail(code);
      expect(run.events.slice(1)).toMatchObject([
        { type: "error", code, start_time: 0, end_time: 0.06 },
        { type: "warning", code: "state_lost" },
      ]);
      expect(run.waiting).toEqual(["start 60 90"]);
    },
  );

  test("a worker that ends between two steps costs the steps before, and the one behind is the first of the next", () => {
    const run = make({ interimEvery: 30 }).hear("##########");
    run.run().run().lane.die();
    run.run();
    expect(run.said()).toEqual(["active 0", "interim 0 30", "interim 0 60", "error 0 60", "warning", "interim 60 90"]);
    runAll(run.hear("......"));
    expect(run.said()).toEqual(["inactive 100", "interim 60 120", "segment 60 135"]);
  });

  test("a worker that ends before the last call costs the segment", () => {
    const run = make().hear("###......");
    run.run().run().run();
    expect(run.waiting).toEqual(["finish 65 65"]);
    run.lane.die();
    run.run();
    expect(run.said()).toEqual(["active 0", "inactive 30", "error 0 65", "warning"]);
    expect(runAll(run.hear("###......"))[0]).toBe("start 65 95");
    expect(run.said()).toEqual(["active 90", "inactive 120", "segment 65 155"]);
  });

  test("a worker that ends between two utterances costs nothing", () => {
    const run = make().hear("###......").answerAll();
    run.lane.die();
    run.hear("###......").answerAll();
    expect(run.said()).toEqual([
      "active 0",
      "inactive 30",
      "segment 0 65",
      "active 90",
      "inactive 120",
      "segment 65 155",
    ]);
  });

  test("a last call that throws is answered by an error, and the next utterance has a new stream", () => {
    const run = make().hear("###......");
    run.run().run().run().fail("inference_failed");
    expect(run.said()).toEqual(["active 0", "inactive 30", "error 0 65"]);
    expect(runAll(run.hear("###......"))[0]).toBe("start 65 95");
  });

  test("without speech behind it leaves the rest of the utterance as silence", () => {
    const run = make().hear("###......");
    run.run().fail("inference_failed").answerAll().end();
    expect(run.said()).toEqual(["active 0", "inactive 30", "error 0 60"]);
    expect(run.answers.tally).toMatchObject({ failed: 60, silent: 30, inferred: 0 });
  });
});

test("only audio that no step has had is held, whatever the length of the utterance", () => {
  const run = make();
  for (let i = 0; i < 30; i++) {
    runAll(run.hear("##"));
    expect(run.position - run.needed).toBeLessThan(30);
    expect(run.pipeline.unanswered).toBe(0);
  }
  run.hear("##########");
  expect(run.needed).toBe(600);
  expect(run.pipeline.needed).toBe(690);
});

test("an abort names the open segment from its start", () => {
  const run = make().hear("##########");
  run.run().abort(120, "internal", "given up");
  expect(run.said()).toEqual(["active 0", "error 0 120"]);
  expect(run.answers.tally).toMatchObject({ failed: 120, inferred: 0, silent: 0 });
});
