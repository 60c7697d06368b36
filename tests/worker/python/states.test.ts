import { afterEach, beforeEach, expect, setDefaultTimeout } from "bun:test";

import { type ChildJob, PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
const open: PythonChild[] = [];
let child: PythonChild;

async function start(settings: Record<string, unknown> = {}): Promise<PythonChild> {
  const started = await PythonChild.ready({ python: python!, model: pythonModel("obedient_stream"), settings });
  open.push(started);
  return started;
}

beforeEach(async () => {
  if (python !== undefined) child = await start();
});
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

/** Runs a step with these statements. */
async function step(step: string, order: string, job: ChildJob = {}) {
  return await child.order(order, { step, ...job });
}

testHere(
  "the state of a stream goes from call to call by value, also to another worker, with its classes",
  async () => {
    const started = await step("start", "state = {'box': Box(1), 'seen': []}");
    expect(started).toEqual({ state: expect.any(Uint8Array) });
    const order =
      "state['seen'].append(float(sum(audio)))\nresult = {'seen': state['seen'], 'box': state['box'].doubled()}\nstate['box'].value += 1";
    const first = await step("step", order, { samples: [1, 2], state: started.state! });
    expect(first.output).toEqual({ seen: [3], box: 2 });
    child = await start();
    const second = await step("step", order, { samples: [4], state: first.state! });
    expect(second.output).toEqual({ seen: [3, 4], box: 4 });
    // The first state has not changed.
    const again = await step("step", order, { samples: [5], state: first.state! });
    expect(again.output).toEqual({ seen: [3, 5], box: 4 });
    expect(again.state).toBeInstanceOf(Uint8Array);
  },
);

testHere("a stream starts with a first step if there is audio, and may have None as its state", async () => {
  const order = "result = {'state': state} if audio is not None else None\nstate = None if audio is None else [state]";
  const started = await step("start", order, { samples: [1] });
  expect(started).toEqual({ output: { state: null }, state: expect.any(Uint8Array) });
  expect((await step("step", order, { state: started.state! })).output).toEqual({ state: [null] });
  expect(await step("step", "state = 1", { state: started.state! })).toEqual({ state: expect.any(Uint8Array) });
});

testHere("a stream ends with finish, or with dispose where there is none", async () => {
  const state = (await step("start", "state = 'mine'")).state!;
  expect(await step("finish", "result = {'state': state}", { state })).toEqual({});
  await waitUntil("the disposal", () => child.out === "disposed of mine\n");
  child = await start({ finishes: true });
  expect(await step("finish", "result = {'state': state}", { state })).toEqual({ output: { state: "mine" } });
  expect(await step("finish", "", { state })).toEqual({});
  expect(await step("dispose", "", { state })).toEqual({});
  await waitUntil("the disposal", () => child.out === "disposed of mine\n");
});

testHere.each([
  ["returned = 5", "step() must return (output or None, state)"],
  ["returned = (1, 2, 3)", "step() must return (output or None, state)"],
  ["result = [1]", "the model's output must be a dict, not a list"],
  [
    "state = {'a': [1, lambda: 0]}",
    /^the model's state cannot be pickled: .*lambda.* \(state\['a'\]\[1\] is a function\)$/,
  ],
  [
    "state = Box((x for x in []))",
    /^the model's state cannot be pickled: TypeError: .* \(state\.value is a generator\)$/,
  ],
  ["import threading\nstate = threading.Lock()", /^the model's state cannot be pickled: .* \(state is a lock\)$/],
  ["class Local: pass\nstate = Local()", /^the model's state cannot be pickled: .*Local.* \(state is a Local\)$/],
  ["state = bytes(64 * 1024 * 1024)", /^the model's state has \d+ bytes; allowed: 67108864$/],
  ["state = []\nfor _ in range(100000): state = [state]", /^the model's state cannot be pickled: RecursionError/],
])("a step that does %j has no result: %s, and the state before is good for another one", async (order, message) => {
  const state = (await step("start", "state = 1")).state!;
  const { error, ...rest } = await step("step", order, { samples: [1], state });
  expect(error).toMatch(message);
  expect(rest.state).toBeUndefined();
  expect((await step("step", "result = {'state': state}", { state })).output).toEqual({ state: 1 });
});

testHere("a state that cannot be restored fails the call, with the reason", async () => {
  const { error } = await step("step", "", { state: Uint8Array.of(1, 2, 3) });
  expect(error).toStartWith("the model's state cannot be restored by pickle: UnpicklingError");
  const order = "class Fails:\n  def __reduce__(self): return (int, ('x',))\nstate = Fails()";
  const { state } = await step("start", order);
  expect((await step("step", "", { state: state! })).error).toContain("cannot be restored by pickle: ValueError: ");
});

testHere("a state that the server does not get is disposed of", async () => {
  const failing = "if audio is not None: raise ValueError('at the first step')\nstate = 'of a stream that fails'";
  expect((await step("start", failing, { samples: [1] })).error).toBe("ValueError: at the first step");
  await waitUntil("the disposal", () => child.out === "disposed of of a stream that fails\n");
  expect((await step("start", "state = lambda: 0")).error).toContain("cannot be pickled");
  await waitUntil("the disposal", () => child.out.includes("disposed of <function"));
});

testHere(
  "closed during a call that starts a stream, a worker disposes of its state; of others it does not",
  async () => {
    for (const unanswered of [[1], []]) {
      child = await start();
      child.setOptions(1, "state = 'unanswered'");
      child.start({ step: "start" });
      child.send({ type: "close", unanswered });
      expect(await child.ended()).toBe(0);
      expect(child.out).toBe(unanswered.length === 0 ? "" : "disposed of unanswered\n");
    }
  },
);
