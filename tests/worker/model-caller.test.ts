import { describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Arena } from "../../src/audio/arena.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import type { AnyModel, Call, StatefulModel } from "../../src/model/model.ts";
import { type ModelTracing, NO_MODEL_TRACING } from "../../src/telemetry/tracing/model-tracing.ts";
import type { JobMessage } from "../../src/worker/messages.ts";
import { ModelCaller } from "../../src/worker/model-caller.ts";
import { ModelReports } from "../../src/worker/model-reports.ts";
import { SpanReaders } from "../../src/worker/span-reader.ts";
import { writeSpan } from "../support/pool-harness.ts";

const INFO: ModelInfo = {
  name: "model",
  sampleRate: 8000,
  stateful: false,
  pinned: false,
  disposes: false,
  maxBatch: 4,
  maxBatchWaitMs: 0,
  idempotent: true,
  nativeAddon: false,
  warmUpMs: 0,
  warmedByCall: false,
  loadMs: 0,
};

const arena = new Arena(64);

function job(samples: number[], more: Partial<JobMessage> = {}): JobMessage {
  return { lane: 1, final: true, start: 0, ...writeSpan(arena, samples), ...more };
}

function callerOf(model: AnyModel, info: Partial<ModelInfo> = {}, tracing: ModelTracing = NO_MODEL_TRACING) {
  const options = new Map<number, unknown>([[1, "of lane 1"]]);
  return new ModelCaller(
    { model, info: { ...INFO, ...info }, tracing, reports: new ModelReports() },
    new SpanReaders(arena.samples),
    options,
  );
}

test("a model that returns at once gives its results at once", () => {
  const calls: Call[] = [];
  const caller = callerOf({
    infer: (audio, call) => {
      calls.push(call);
      return { last: audio.at(-1) };
    },
  });
  expect(caller.run([job([1, 2], { traceparent: "t" })])).toEqual([{ outputJson: '{"last":2}' }]);
  expect(calls).toEqual([{ final: true, sampleRate: 8000, startSeconds: 0, options: "of lane 1", traceparent: "t" }]);
});

test("errors become results, thrown or rejected", async () => {
  const thrown = callerOf({
    infer: () => {
      throw new Error("e".repeat(1000));
    },
  });
  expect(thrown.run([job([1])])).toEqual([{ error: "e".repeat(500), stack: expect.any(String) }]);
  const rejected = callerOf({ infer: () => Promise.reject(new TypeError("late")) });
  expect(await rejected.run([job([1])])).toEqual([{ error: "late", stack: expect.any(String) }]);
});

test("a call that imports a file with several errors has the place of each in the stack", async () => {
  const folder = mkdtempSync(join(tmpdir(), "streamer-import-"));
  try {
    const file = join(folder, "torn.ts");
    writeFileSync(file, "let a;\nlet a;\nlet b;\nlet b;\n");
    const caller = callerOf({ infer: async () => (await import(file)) as object });
    const [result] = await caller.run([job([1])]);
    expect(result?.stack).toStartWith(
      `it has 2 errors:\n  "a" has already been declared (${file}:2:5)\n  "b" has already been declared (${file}:4:5)`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("an object of a class in a state", () => {
  class Recogniser {
    words = 0;
    feed(audio: Float32Array): number {
      return (this.words += audio.length);
    }
  }

  /** The model sees states as the server passes them: cloned. */
  const model: StatefulModel<object, { recogniser: Recogniser }> = {
    start: () => ({ recogniser: new Recogniser() }),
    step: (audio, state) => [{ words: state.recogniser.feed(audio) }, state],
    finish: (state) => ({ words: state.recogniser.words }),
  };
  const state = { recogniser: structuredClone(new Recogniser()) };
  const hint = "the state is a copy made by structured clone, in which objects have no methods";

  test("is named once with the first state that has it", () => {
    const caller = callerOf(model as AnyModel, { stateful: true });
    const uncloned = "state.recogniser is an object of the class Recogniser";
    expect(caller.run([job([], { step: "start" })])).toEqual([{ state: expect.anything(), uncloned }]);
    expect(caller.run([job([], { step: "start" })])).toEqual([{ state: expect.anything() }]);
  });

  test("explains the error when its method is called", () => {
    const caller = callerOf(model as AnyModel, { stateful: true });
    const step = job([1], { step: "step", state });
    expect(caller.run([step])).toMatchObject([{ error: expect.stringMatching(/feed is not a function.*; /) }]);
    expect(caller.run([step])).toMatchObject([{ error: expect.stringContaining(hint) }]);
    void caller.run([job([], { step: "start" })]);
    expect(caller.run([step])).toMatchObject([
      { error: expect.stringContaining(`${hint} (when it was returned, state.recogniser is an object of the class`) },
    ]);
    // Data of the object is still there.
    expect(caller.run([job([], { step: "finish", state })])).toEqual([{ outputJson: '{"words":0}' }]);
  });

  test("does not explain errors that have another cause", () => {
    const other = callerOf({ ...model, step: () => [null, null as never][0] as never } as AnyModel, { stateful: true });
    expect(other.run([job([1], { step: "step", state })])).toMatchObject([
      { error: expect.not.stringContaining(hint) },
    ]);
    const stateless = callerOf({ infer: () => (undefined as unknown as () => object)() });
    expect(stateless.run([job([1])])).toMatchObject([{ error: expect.not.stringContaining(hint) }]);
  });
});

test("the first job's trace context is current during the call", () => {
  const entered: unknown[] = [];
  const within: ModelTracing["within"] = (traceparent, run) => {
    entered.push(traceparent);
    return run();
  };
  void callerOf({ infer: () => ({}) }, {}, { ...NO_MODEL_TRACING, within }).run([job([1], { traceparent: "t" })]);
  expect(entered).toEqual(["t"]);
});

describe("a batch", () => {
  test("returns one result for each job; one bad output fails alone", async () => {
    const caller = callerOf({
      infer: () => ({}),
      inferBatch: (audios) => audios.map((audio) => ({ level: audio[0] === 9 ? NaN : audio[0]! })),
    });
    expect(await caller.run([job([1]), job([9]), job([3])])).toEqual([
      { outputJson: '{"level":1}' },
      { error: expect.stringContaining('"level" is NaN'), stack: expect.any(String) },
      { outputJson: '{"level":3}' },
    ]);
  });

  for (const [name, inferBatch] of [
    ["throws", () => Promise.reject(new Error("bad batch"))],
    ["returns too few outputs", () => [{}]],
  ] as const) {
    test(`that ${name} is called job by job, with fresh audio, and logged once`, async () => {
      const log = spyOn(console, "error").mockImplementation(() => {});
      try {
        const caller = callerOf({
          infer: (audio) => {
            if (audio[0] === 9) throw new Error("bad job");
            return { first: audio[0]! };
          },
          inferBatch: (audios) => {
            for (const audio of audios) audio.fill(0);
            return inferBatch();
          },
        });
        const expected = [{ outputJson: '{"first":1}' }, { error: "bad job", stack: expect.any(String) }];
        expect(await caller.run([job([1]), job([9])])).toEqual(expected);
        expect(await caller.run([job([1]), job([9])])).toEqual(expected);
        expect(log).toHaveBeenCalledTimes(1);
      } finally {
        log.mockRestore();
      }
    });

    test(`that ${name} fails as a whole if calls may not be repeated`, async () => {
      const results = await callerOf({ infer: () => ({}), inferBatch }, { idempotent: false }).run([
        job([1]),
        job([2]),
      ]);
      expect(results.map(({ error }) => error)).toEqual(
        Array(2).fill(name === "throws" ? "bad batch" : "inferBatch() must return an array of 2 outputs"),
      );
      expect(results.map(({ wholeBatch }) => wholeBatch)).toEqual([true, true]);
    });
  }
});

describe("a stateful model", () => {
  const model: AnyModel = {
    start: () => Promise.resolve([] as number[]),
    step: (audio, state) => [
      audio.length > 1 ? { count: audio.length } : undefined,
      [...(state as number[]), audio[0]],
    ],
    finish: (state) => ({ all: state }),
  };

  test("starts, makes steps and finishes with the state that it gets", async () => {
    const caller = callerOf(model, { stateful: true });
    expect(await caller.run([job([], { step: "start" })])).toEqual([{ state: [] }]);
    expect(await caller.run([job([1, 2], { step: "start" })])).toEqual([{ outputJson: '{"count":2}', state: [1] }]);
    expect(await caller.run([job([3], { step: "step", state: [1] })])).toEqual([{ state: [1, 3] }]);
    expect(await caller.run([job([], { step: "finish", state: [1, 3] })])).toEqual([{ outputJson: '{"all":[1,3]}' }]);
  });

  test("may have nothing to finish", async () => {
    const { finish: _, ...rest } = model as Extract<AnyModel, { finish?: unknown }>;
    expect(await callerOf(rest as AnyModel, { stateful: true }).run([job([], { step: "finish" })])).toEqual([{}]);
  });

  test("fails when a step returns no pair", async () => {
    const broken = { ...model, step: () => ({}) as never };
    const [result] = await callerOf(broken, { stateful: true }).run([job([1], { step: "step", state: [] })]);
    expect(result?.error).toBe("step() must return [output or undefined, state]");
  });
});
