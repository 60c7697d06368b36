import { expect, spyOn, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Arena } from "../../src/audio/arena.ts";
import type { Call, PinnedModel } from "../../src/model/model.ts";
import { AddonFlag } from "../../src/worker/addon-flag.ts";
import { closeModel } from "../../src/worker/close-model.ts";
import { loadModel } from "../../src/worker/load-model.ts";
import type { JobMessage, WorkerResult } from "../../src/worker/messages.ts";
import { ModelCaller } from "../../src/worker/model-caller.ts";
import { PinnedStreams } from "../../src/worker/pinned-streams.ts";
import { SpanReaders } from "../../src/worker/span-reader.ts";
import { STEP_ORDERS } from "../support/models/pinned.ts";
import { modelPath, writeSpan } from "../support/pool-harness.ts";

const arena = new Arena(64);

/** The model `pinned` in this thread, and what it has written since it was loaded. */
async function pinned(settings: Record<string, unknown> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "streamer-pinned-"));
  const file = join(folder, "events");
  await Bun.write(file, "");
  const load = { model: modelPath("pinned"), settings: { file, ...settings }, spawn: 0 };
  const loaded = await loadModel({ ...load, addonFlag: new AddonFlag().buffer });
  const caller = new ModelCaller(loaded, new SpanReaders(arena.samples), new Map());
  const run = async (...jobs: JobMessage[]) => (await caller.run(jobs)).map(decode);
  return {
    ...{ loaded, caller, run },
    events: () => readFileSync(file, "utf8").trim().split("\n").filter(Boolean),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

function decode({ outputJson, stack: _, ...rest }: WorkerResult): object {
  return { ...(outputJson !== undefined && { output: JSON.parse(outputJson) as object }), ...rest };
}

function job(lane: number, step: "start" | "step" | "finish", samples: number[] = [], start = 0): JobMessage {
  return { lane, final: true, step, start, ...writeSpan(arena, samples) };
}

test("a stream is opened once, gets its steps in turn, and is reset at the end of an utterance", async () => {
  using model = await pinned();
  const { run } = model;
  expect(await run(job(7, "start", [0, 1, 2]))).toEqual([
    { output: { stream: "0.0", samples: 3, sum: 3 }, opened: true },
  ]);
  expect(await run(job(7, "step", [0, 5]))).toEqual([{ output: { stream: "0.0", samples: 5, sum: 8 } }]);
  expect(await run(job(7, "step", [STEP_ORDERS.nothing]))).toEqual([{}]);
  expect(await run(job(7, "finish"))).toEqual([{ output: { stream: "0.0", total: 6, sum: 8 } }]);
  expect(await run(job(7, "step", [0, 1]))).toEqual([{ output: { stream: "0.0", samples: 2, sum: 1 } }]);
  expect(model.events()).toEqual(["opened 0.0", "finished 0.0", "reset 0.0"]);
});

test("a start without audio opens a stream, and one on a fresh stream takes that", async () => {
  using model = await pinned();
  expect(await model.run(job(1, "start"))).toEqual([{ opened: true }]);
  expect(await model.run(job(1, "start", [0, 1]))).toMatchObject([{ output: { stream: "0.0", samples: 2 } }]);
  await model.run(job(1, "finish"));
  expect(await model.run(job(1, "start", [0]))).toEqual([{ output: { stream: "0.0", samples: 1, sum: 0 } }]);
});

test("a start closes the stream of an utterance that did not end, and opens another", async () => {
  using model = await pinned();
  await model.run(job(1, "start", [0, 1]));
  expect(await model.run(job(1, "start", [0]))).toEqual([
    { output: { stream: "0.1", samples: 1, sum: 0 }, opened: true },
  ]);
  expect(model.events()).toEqual(["opened 0.0", "closed 0.0", "opened 0.1"]);
});

test("without reset, a stream is closed at the end of its utterance, and the next one is opened", async () => {
  using model = await pinned({ resets: false });
  await model.run(job(1, "start", [0, 1]));
  expect(await model.run(job(1, "finish"))).toMatchObject([{ output: { total: 2 } }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ output: { stream: "0.1" }, opened: true }]);
  expect(model.events()).toEqual(["opened 0.0", "finished 0.0", "closed 0.0", "opened 0.1"]);
});

test("a step without a stream opens one and reports it; a finish without one calls nothing and reports it, too", async () => {
  using model = await pinned();
  expect(await model.run(job(1, "finish"))).toEqual([{ opened: true }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ output: { stream: "0.0" }, opened: true }]);
  expect(model.events()).toEqual(["opened 0.0"]);
});

test("a step that throws leaves its stream open", async () => {
  using model = await pinned();
  await model.run(job(1, "start", [0, 1]));
  expect(await model.run(job(1, "step", [STEP_ORDERS.throw]))).toEqual([{ error: "as ordered" }]);
  expect(await model.run(job(1, "step", [STEP_ORDERS.laterThrow]))).toEqual([{ error: "as ordered, later" }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ output: { stream: "0.0", samples: 4 } }]);
});

test("an error with streamLost closes the stream, and the next step opens another one and reports it", async () => {
  using model = await pinned();
  await model.run(job(1, "start", [0, 1]));
  expect(await model.run(job(1, "step", [STEP_ORDERS.lose]))).toEqual([{ error: "gone, as ordered" }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ output: { stream: "0.1", samples: 1 }, opened: true }]);
  expect(model.events()).toEqual(["opened 0.0", "closed 0.0", "opened 0.1"]);
  const batch = [job(1, "step", [STEP_ORDERS.lose]), job(2, "finish")];
  expect(await model.run(...batch)).toEqual([{ error: "gone, as ordered" }, { opened: true }]);
  expect(model.events().at(-1)).toBe("closed 0.1");
});

test("an error of stepBatch with streamLost closes the streams of the batch", async () => {
  using model = await pinned();
  await model.run(job(1, "start", [0, 1]), job(2, "start", [0, 1]));
  await model.run(job(1, "step", [STEP_ORDERS.lose]), job(2, "step", [0]));
  expect(model.events()).toEqual(["opened 0.0", "opened 0.1", "closed 0.0", "closed 0.1"]);
  expect(await model.run(job(2, "step", [0]))).toMatchObject([{ output: { stream: "0.2", samples: 1 }, opened: true }]);
});

test("of a model that takes several calls at once, a lane's stream is closed after its own call, and delays no other", async () => {
  using model = await pinned();
  const streams = new PinnedStreams(model.loaded.model as PinnedModel<object>, 2);
  const call: Call = { final: true, sampleRate: 8000, startSeconds: 0, options: undefined };
  const run = async (...args: Parameters<typeof job>): Promise<object[]> =>
    await streams.run([job(...args)], [Float32Array.from(args[2] ?? [])], [call]);
  const slow = run(1, "start", [STEP_ORDERS.later]);
  const other = run(2, "start", [0]);
  streams.forget(1);
  streams.forget(2);
  await other;
  expect(model.events()).toEqual(["opened 0.0", "stepping 0.0", "opened 0.1", "closed 0.1"]);
  await slow;
  expect(model.events().at(-1)).toBe("closed 0.0");
});

test("that a step has opened a stream is reported by the next one when it throws; a start need not report it", async () => {
  using model = await pinned();
  expect(await model.run(job(1, "step", [STEP_ORDERS.throw]))).toEqual([{ error: "as ordered" }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ opened: true }]);
  expect(await model.run(job(2, "start", [STEP_ORDERS.throw]))).toEqual([{ error: "as ordered" }]);
  const [next] = await model.run(job(2, "step", [0]));
  expect(next).not.toHaveProperty("opened");
});

test("the end of an utterance is taken out of the output, and an output without anything else is none", async () => {
  using model = await pinned();
  const output = { stream: "0.0", samples: 1, sum: 0 };
  expect(await model.run(job(1, "start", [STEP_ORDERS.endpoint]))).toEqual([{ output, endpoint: true, opened: true }]);
  expect(await model.run(job(1, "step", [STEP_ORDERS.onlyEndpoint]))).toEqual([{ endpoint: true }]);
  expect(await model.run(job(1, "step", [STEP_ORDERS.strangeEndpoint]))).toEqual([
    { error: `the output's "endpoint" must be true or false, not 1` },
  ]);
});

test("a finish that throws is an error, and its stream is closed", async () => {
  using model = await pinned({ throws: "finish" });
  await model.run(job(1, "start", [0]));
  expect(await model.run(job(1, "finish"))).toEqual([{ error: "finish fails" }]);
  expect(await model.run(job(1, "step", [0]))).toMatchObject([{ output: { stream: "0.1" } }]);
  expect(model.events()).toEqual(["opened 0.0", "finished 0.0", "closed 0.0", "opened 0.1"]);
});

test("methods that release something and throw harm nobody, and are printed once", async () => {
  using model = await pinned({ throws: "reset close closeModel" });
  const printed = spyOn(console, "error").mockImplementation(() => {});
  try {
    for (const lane of [1, 2]) {
      await model.run(job(lane, "start", [0]));
      expect(await model.run(job(lane, "finish"))).toMatchObject([{ output: { total: 1 } }]);
      await model.run(job(lane, "step", [0]));
      model.caller.forget(lane);
    }
    await model.caller.closeStreams();
    await closeModel(model.loaded, []);
    expect(printed.mock.calls.flat()).toEqual([
      "reset() of a stream failed: Error: reset fails",
      "close() failed: Error: closeModel fails",
    ]);
  } finally {
    printed.mockRestore();
  }
  const closed = ["closed 0.0", "closed 0.1", "closed 0.2", "closed 0.3", "ended 0"];
  expect(model.events().filter((event) => /closed|ended/.test(event))).toEqual(closed);
});

test("an open that throws fails its job alone, also in a batch", async () => {
  using model = await pinned({ throws: "open" });
  expect(await model.run(job(1, "start", [0]))).toEqual([{ error: "open fails" }]);
  expect(await model.run(job(1, "step", [0]), job(2, "finish"))).toEqual([{ error: "open fails" }, { opened: true }]);
});

test("a stream without one of its methods is refused with its name", async () => {
  const model = { open: () => ({ step: () => {}, close: () => {} }) } as unknown as PinnedModel<object>;
  const call: Call = { final: true, sampleRate: 8000, startSeconds: 0, options: undefined };
  const message = "open() must return a stream with step(), finish() and close(); it has no finish()";
  expect(() => new PinnedStreams(model).run([job(1, "start")], [new Float32Array()], [call])).toThrow(message);
});

test("steps of several streams share a call; what begins or ends streams in it does not", async () => {
  using model = await pinned();
  await model.run(job(1, "start", [0, 1]));
  await model.run(job(2, "start", [0, 1]));
  const batch = [job(1, "finish"), job(2, "step", [0, 2]), job(3, "start", [0, 3]), job(4, "start")];
  expect(await model.run(...batch)).toEqual([
    { output: { stream: "0.0", total: 2, sum: 1 } },
    { output: { stream: "0.1", samples: 4, sum: 3, together: 2 } },
    { output: { stream: "0.2", samples: 2, sum: 3, together: 2 }, opened: true },
    { opened: true },
  ]);
  const whole = { error: "as ordered", wholeBatch: true };
  expect(await model.run(job(2, "step", [0]), job(3, "step", [STEP_ORDERS.throw]), job(4, "finish"))).toEqual([
    whole,
    whole,
    { output: { stream: "0.3", total: 0, sum: 0 } },
  ]);
});

test("a lane that ends during a call has its stream closed after the call", async () => {
  using model = await pinned();
  const running = model.run(job(1, "start", [STEP_ORDERS.later]));
  model.caller.forget(1);
  expect(model.events()).toEqual(["opened 0.0", "stepping 0.0"]);
  expect(await running).toMatchObject([{ output: { samples: 1 } }]);
  expect(model.events()).toEqual(["opened 0.0", "stepping 0.0", "closed 0.0"]);
  model.caller.forget(1);
  expect(await model.run(job(2, "start", [0]))).toMatchObject([{ output: { stream: "0.1" } }]);
});

test("calls say where their audio starts, and which utterance it belongs to", async () => {
  using model = await pinned();
  const [first] = await model.run({ ...job(1, "start", [STEP_ORDERS.callBack], 8000), utterance: 3 });
  expect(first).toMatchObject({ output: { start: 0.5, utterance: 3, options: null, traceparent: null } });
  const [second] = await model.run(job(1, "step", [STEP_ORDERS.callBack], 2 ** 35));
  expect(second).toEqual({ output: { start: 2 ** 35 / 16_000, utterance: null, options: null, traceparent: null } });
});
