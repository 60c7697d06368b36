import { afterEach, expect, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type ChildJob, PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
const children: PythonChild[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
});

async function ready(settings: Record<string, unknown> = {}): Promise<PythonChild> {
  const child = await PythonChild.ready({ python: python!, model: pythonModel("obedient_pinned"), settings });
  children.push(child);
  return child;
}

/** Runs a call of a step with these statements in the model. */
async function order(child: PythonChild, step: string, statements = "", job: ChildJob = {}) {
  return await child.order(statements, { step, ...job });
}

/** Waits until the output of the model is this text. It comes by another way than results. */
async function printed(child: PythonChild, text: string, output: "out" | "err" = "out"): Promise<void> {
  await waitUntil(`the model has printed ${JSON.stringify(text)}`, () => child[output] === text);
}

const SEEN = "result = {'stream': stream.number, 'seen': stream.seen}";
const SEEN_IN_STEP = `if event == 'step': ${SEEN}`;

testHere("a stream stays in the process from call to call, one for each lane, and none has a state", async () => {
  const child = await ready();
  expect(child.info).toMatchObject({
    name: "obedient-pinned",
    pinned: true,
    stateful: false,
    disposes: false,
    maxBatch: 4,
  });
  const started = await order(child, "start", SEEN_IN_STEP, { samples: [1] });
  expect(started).toEqual({ output: { stream: 0, seen: [1] }, opened: true });
  expect(await order(child, "start", "", { lane: 2 })).toEqual({ opened: true });
  expect(await order(child, "step", SEEN, { samples: [1, 2] })).toEqual({ output: { stream: 0, seen: [1, 2] } });
  expect(await order(child, "step", SEEN, { lane: 2, samples: [1, 2, 3] })).toEqual({
    output: { stream: 1, seen: [3] },
  });
});

testHere("`start` closes the stream that the lane had, and a step without a stream opens one", async () => {
  const child = await ready();
  expect(await order(child, "start", "", { samples: [1] })).toEqual({ opened: true });
  expect(await order(child, "start")).toEqual({ opened: true });
  await printed(child, "close of 0\n");
  // It has had no audio yet.
  expect(await order(child, "start", SEEN, { samples: [2] })).toEqual({ output: { stream: 1, seen: [1] } });
  expect(await order(child, "step", "", { lane: 7, samples: [1] })).toEqual({ opened: true });
  expect(await order(child, "finish", "raise ValueError()", { lane: 8 })).toEqual({ opened: true });
});

testHere(
  "after `finish` a stream is reset; one without reset() is closed and the next step opens another",
  async () => {
    const child = await ready();
    await order(child, "start", "", { samples: [1, 2] });
    expect(await order(child, "finish", SEEN)).toEqual({ output: { stream: 0, seen: [2] } });
    expect(await order(child, "step", SEEN, { samples: [1] })).toEqual({ output: { stream: 0, seen: [1] } });
    await printed(child, "reset of 0\n");

    const other = await ready({ resets: false });
    await order(other, "start", "", { samples: [1, 2] });
    expect(await order(other, "finish")).toEqual({});
    await printed(other, "close of 0\n");
    expect(await order(other, "step", "", { samples: [1] })).toEqual({ opened: true });
  },
);

testHere(
  "a stream is closed when its lane ends, and all of them, and then the model, when the worker is closed",
  async () => {
    const child = await ready();
    for (const lane of [1, 2, 3]) await order(child, "start", "", { lane });
    child.send({ type: "forget", lane: 2 });
    child.send({ type: "forget", lane: 9 });
    await printed(child, "close of 1\n");
    child.send({ type: "close", unanswered: [] });
    await child.ended();
    expect(child.out).toBe("close of 1\nclose of 0\nclose of 2\nclose of the model\n");
  },
);

testHere("an error of a step leaves the stream open; one of `open` and of `finish` leaves none", async () => {
  const child = await ready();
  expect((await order(child, "start", "raise ValueError('no')")).error).toBe("ValueError: no");
  await order(child, "start");
  expect(await order(child, "step", "raise ValueError('bad audio')", { samples: [1] })).toEqual({
    error: "ValueError: bad audio",
    stack: expect.stringContaining("order.py"),
  });
  expect(await order(child, "step", SEEN, { samples: [1, 2] })).toEqual({ output: { stream: 1, seen: [1, 2] } });
  expect((await order(child, "finish", "raise SystemExit(3)")).error).toBe("SystemExit: 3");
  await printed(child, "close of 1\n");
  expect(await order(child, "step", "", { samples: [1] })).toEqual({ opened: true });
});

testHere("a stream that a failed step has opened is reported as opened by the next result", async () => {
  const child = await ready();
  const fails = "if event == 'step': raise ValueError()";
  expect((await order(child, "step", fails, { samples: [1] })).error).toBe("ValueError");
  expect(await order(child, "step", "", { samples: [1] })).toEqual({ opened: true });
  expect(await order(child, "step", "", { samples: [1] })).toEqual({});
  // After `start` the server knows.
  expect((await order(child, "start", fails, { samples: [1] })).error).toBe("ValueError");
  expect(await order(child, "step", "", { samples: [1] })).toEqual({});
});

testHere("an error with `stream_lost = True` closes the stream, and the next step opens another", async () => {
  const child = await ready();
  await order(child, "start", "", { samples: [1] });
  const lost = "if event == 'step': error = ValueError('gone'); error.stream_lost = True; raise error";
  expect((await order(child, "step", lost, { samples: [1] })).error).toBe("ValueError: gone");
  await printed(child, "close of 0\n");
  expect(await order(child, "step", SEEN_IN_STEP, { samples: [1, 2] })).toEqual({
    output: { stream: 1, seen: [2] },
    opened: true,
  });
});

testHere("errors of reset() and close() are printed, and the results are sent", async () => {
  const child = await ready();
  const thirteen = { samples: new Float32Array(13) };
  await order(child, "start", "", thirteen);
  expect(await order(child, "finish", "result = {'text': 'so far'}")).toEqual({ output: { text: "so far" } });
  // The first one for all, so that the log is not flooded.
  await printed(child, "reset() of a stream failed: ValueError: cannot be reset\n", "err");
  expect(await order(child, "step", "", thirteen)).toEqual({ opened: true });
});

testHere("`endpoint` is reported beside the output of a step, and must be True or False", async () => {
  const child = await ready();
  await order(child, "start");
  const step = async (text: string) => await order(child, "step", `result = ${text}`, { samples: [1] });
  expect(await step("{'text': 'yes', 'endpoint': True}")).toEqual({ output: { text: "yes" }, endpoint: true });
  expect(await step("{'text': 'yes', 'endpoint': False}")).toEqual({ output: { text: "yes" } });
  expect(await step("{'endpoint': True}")).toEqual({ endpoint: true });
  expect(await step("{}")).toEqual({ output: {} });
  expect(await step("{'endpoint': 1}")).toEqual({ error: 'the output\'s "endpoint" is 1; allowed: True or False' });
  expect(await order(child, "finish", "result = {'text': 'all', 'endpoint': True}")).toEqual({
    output: { text: "all" },
  });
});

testHere("a call says where its audio starts and to which utterance it belongs", async () => {
  const child = await ready();
  const call = "if event != 'open': result = {'start': call.start_seconds, 'utterance': call.utterance}";
  const job = { samples: [1], start: 24_000, utterance: 3 };
  expect((await order(child, "start", call, job)).output).toEqual({ start: 1.5, utterance: 3 });
  expect((await order(child, "step", call, { samples: [1] })).output).toEqual({ start: 0, utterance: null });
});

testHere(
  "step_batch() gets streams, audio and calls; streams that fail to open and others that end do not take part",
  async () => {
    const child = await ready();
    await order(child, "start", "", { lane: 1 });
    await order(child, "start", "", { lane: 2 });
    child.setOptions(
      1,
      "if event == 'batch': assert [len(a) for a in audio] == [1, 2]\nresult = {'a': 1, 'endpoint': True}",
    );
    child.setOptions(2, "result = {'end': True}");
    child.setOptions(3, "raise ValueError('not now')");
    child.setOptions(4, "");
    const results = await child.call(
      { lane: 1, step: "step", samples: [1] },
      { lane: 2, step: "finish" },
      { lane: 3, step: "start", samples: [1] },
      { lane: 4, step: "start", samples: [1, 2] },
    );
    expect(results).toEqual([
      { output: { a: 1 }, endpoint: true },
      { output: { end: true } },
      { error: "ValueError: not now", stack: expect.any(String) },
      { opened: true },
    ]);
    child.setOptions(1, "raise ValueError('all of them')");
    const failed = { error: "ValueError: all of them", stack: expect.any(String), wholeBatch: true };
    const batch = [1, 4].map((lane) => ({ lane, step: "step", samples: [1] }));
    expect(await child.call(...batch)).toEqual([failed, failed]);
  },
);

testHere("all methods of a model and of its streams may be `async def`", async () => {
  const folder = mkdtempSync(join(tmpdir(), "streamer-pinned-"));
  try {
    const model = join(folder, "asynchronous.py");
    writeFileSync(model, ASYNCHRONOUS);
    const child = await PythonChild.ready({ python: python!, model });
    children.push(child);
    const run = async (step: string, samples: number[] = []) => (await child.call({ step, samples }))[0];
    expect(await run("start", [1])).toEqual({ output: { steps: 1 }, opened: true });
    expect(await run("step", [1])).toEqual({ output: { steps: 2 } });
    const together = [1, 2].map((lane) => ({ lane, step: "step", samples: [1] }));
    expect(await child.call(...together)).toEqual([{ output: { steps: 3 } }, { output: { steps: 1 }, opened: true }]);
    expect(await run("finish")).toEqual({ output: { all: 3 } });
    expect(await run("step", [1])).toEqual({ output: { steps: 1 } });
    child.send({ type: "forget", lane: 1 });
    await printed(child, "closed after 1\n");
    child.send({ type: "close", unanswered: [] });
    await child.ended();
    expect(child.out).toBe("closed after 1\nclosed after 1\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const ASYNCHRONOUS = `
import asyncio

name = "asynchronous"
max_batch = 2

class Stream:
    steps = 0

    async def step(self, audio, call):
        await asyncio.sleep(0)
        self.steps += 1
        return {"steps": self.steps}

    async def finish(self, call):
        await asyncio.sleep(0)
        return {"all": self.steps}

    async def reset(self):
        await asyncio.sleep(0)
        self.steps = 0

    async def close(self):
        await asyncio.sleep(0)
        print("closed after %d" % self.steps)

class Model:
    async def warm_up(self):
        self.lock = asyncio.Lock()

    async def open(self, call):
        async with self.lock:
            return Stream()

    async def step_batch(self, streams, audios, calls):
        return await asyncio.gather(*(stream.step(audio, call) for stream, audio, call in zip(streams, audios, calls)))
`;

/** Returns why a model with this text cannot be loaded. */
async function problemOf(text: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "streamer-pinned-"));
  try {
    const model = join(folder, "faulty.py");
    writeFileSync(model, `name = "faulty"\n${text}`);
    const child = await PythonChild.start({ python: python!, model });
    children.push(child);
    return String((await child.failure())["message"]).replaceAll(folder, "");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const STREAM = "class Stream:\n def step(self, audio, call): pass\n def finish(self, call): pass\n";
const OPEN = "class Model:\n def open(self, call): return Stream()\n";

testHere.each([
  [
    "pinned = True\nclass Model:\n def infer(self, audio, call): pass",
    "a pinned model needs a method open(); Model has none",
  ],
  [`pinned = True\nstateful = True\n${OPEN}`, "a model is pinned or stateful, not both"],
  [`max_batch = 2\n${OPEN}`, "a pinned model with max_batch 2 needs a method step_batch()"],
  [`${OPEN} def stepBatch(self): pass`, "stepBatch(): in Python its name is step_batch()"],
  [`${OPEN} def warmUp(self): pass`, "warmUp(): in Python its name is warm_up()"],
  [
    "class Model:\n def open(self, call): pass",
    "the warm-up failed: open() must return a stream, an object with step() and finish(); found None",
  ],
  [
    `class Stream:\n def finish(self, call): pass\n${OPEN}`,
    "the warm-up failed: the stream that open() returns needs a method step(); Stream has none",
  ],
  [
    `class Stream: pass\n${OPEN}`,
    "the warm-up failed: the stream that open() returns needs a method step() and finish(); Stream has none",
  ],
  [`${STREAM} reset = 5\n${OPEN}`, "the warm-up failed: reset: found an int; allowed: a method of the stream"],
  [
    `class Stream:\n def step(self, audio, call): return 5\n def finish(self, call): pass\n${OPEN}`,
    "the warm-up failed: step(): the model's output must be a dict, not an int (/faulty.py:2)",
  ],
  [
    `class Stream:\n def step(self, audio, call): return ({}, 1)\n def finish(self, call): pass\n${OPEN}`,
    "the warm-up failed: step(): the model's output must be a dict, not a tuple; a pinned stream keeps its state itself",
  ],
  [
    `class Stream:\n def step(self, audio): pass\n def finish(self, call): pass\n${OPEN}`,
    "the warm-up failed: step(): found step(self, audio); allowed: step(self, audio, call) (/faulty.py:2)",
  ],
  ["class Model:\n def open(self): return 5", "open(): found open(self); allowed: open(self, call) (/faulty.py:2)"],
  [
    "class Model:\n def open(self, call): return self\n def step(self, audio, call): pass",
    "Model has open() and step(): step() of a pinned model belongs to the streams that open() returns (/faulty.py:2)",
  ],
])("a pinned model that breaks the interface is refused in words: %p", async (text, problem) => {
  expect(await problemOf(text)).toStartWith(problem);
});
