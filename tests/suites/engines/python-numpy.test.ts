import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";

import { PythonChild } from "../../support/python-child.ts";
import { pythonModel, pythonWithNumPy } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const python = pythonWithNumPy();
const testHere = testWith(python);
let child: PythonChild;

beforeAll(async () => {
  if (python !== undefined) child = await PythonChild.ready({ python, model: pythonModel("obedient") });
});
afterAll(async () => {
  if (python !== undefined) await child[Symbol.asyncDispose]();
});

testHere("with NumPy, audio is a fresh float32 array that owns its memory and may be written to", async () => {
  expect(child.info).toMatchObject({ python: { executable: python, numpy: expect.stringMatching(/^\d+\.\d+/) } });
  const order = `
result = {"type_": type(audio).__name__, "dtype": str(audio.dtype), "flags": [audio.flags.writeable, audio.flags.owndata, audio.flags.c_contiguous], "sum": audio.sum()}
audio *= 2
self.kept.append(audio)`;
  const samples = Float32Array.from({ length: 10_000 }, (_, i) => i / 16_384);
  const { output } = await child.order(order, { samples });
  const sum = samples.reduce((total, sample) => total + sample, 0);
  expect(output).toEqual({
    type_: "ndarray",
    dtype: "float32",
    flags: [true, true, true],
    sum: expect.closeTo(sum, 0),
  });
  await child.order("audio[:] = 7", { samples });
  expect((await child.order("result = {'last': self.kept[0][-1]}")).output).toEqual({ last: Math.fround(9999 / 8192) });
});

testHere("NumPy's scalars and arrays become JSON numbers, booleans, texts and lists", async () => {
  const order = `
import numpy as np
result = {
    "scalars": [np.float32(0.5), np.float64(0.25), np.float16(2), np.int8(-3), np.uint64(7), np.bool_(True), np.str_("a"), np.longdouble(1.5)],
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "empty": np.zeros((0,)),
    "zero": np.array(5.5),
    "mixed": np.array([1, None, "x", [True]], dtype=object),
    "long": np.array([0.5], dtype=np.longdouble),
    "text": np.array(["a", "bc"]),
}`;
  expect((await child.order(order)).output).toEqual({
    scalars: [0.5, 0.25, 2, -3, 7, true, "a", 1.5],
    array: [
      [0, 1, 2],
      [3, 4, 5],
    ],
    empty: [],
    zero: 5.5,
    mixed: [1, null, "x", [true]],
    long: [0.5],
    text: ["a", "bc"],
  });
});

testHere.each([
  ["{'deep': [np.array([[1, np.nan]])]}", `"deep"[0][0][1] is NaN, which JSON cannot represent`],
  ["{'x': np.float32('inf')}", `"x" is Infinity, which JSON cannot represent`],
  ["{'x': np.array([1j])}", `"x" is an array of complex128, which JSON cannot represent`],
  ["{'x': np.array([b'a'])}", `"x" is an array of |S1, which JSON cannot represent`],
  ["{'x': np.datetime64('2020-01-01')}", `"x" is a datetime64, which JSON cannot represent`],
  ["{'x': np.uint64(2**63)}", `"x" is an integer beyond 2^53, which JSON cannot represent exactly`],
  ["np.zeros(3)", "the model's output must be a dict, not an array of float64"],
  [
    "{'audio': np.zeros(3, np.int16)}",
    /^the output's "audio" must be .*; found an array of int16 of the shape \(3,\)$/,
  ],
  ["{'audio': np.zeros((1, 3))}", /^the output's "audio" must be .*; found an array of float64 of the shape \(1, 3\)$/],
])("the output %s is refused: %s", async (value, message) => {
  expect((await child.order(`import numpy as np\nresult = ${value}`)).error).toMatch(message);
});

testHere("audio of a result may have any kind of floats, steps and byte order", async () => {
  for (const value of [
    "np.array([0.5, 0.25])",
    "np.array([0.5, 9, 0.25], dtype='>f4')[::2]",
    "np.array([0.25, 0.5], dtype=np.float16)[::-1]",
  ]) {
    const rate = "np.int64(8000)";
    const order = `import numpy as np\nresult = {"audio": {"samples": ${value}, "sample_rate": ${rate}}}`;
    expect(await child.order(order)).toEqual({
      output: {},
      audio: { samples: Float32Array.of(0.5, 0.25), sampleRate: 8000 },
    });
  }
});

testHere("NumPy's arrays are kept in the state of a stream", async () => {
  await using stream = await PythonChild.ready({ python: python!, model: pythonModel("obedient_stream") });
  const started = await stream.order("import numpy as np\nstate = {'window': np.zeros(2, np.float32)}", {
    step: "start",
  });
  const order = "state['window'] += audio\nresult = {'window': state['window']}";
  const first = await stream.order(order, { step: "step", samples: [1, 2], state: started.state! });
  const second = await stream.order(order, { step: "step", samples: [1, 2], state: first.state! });
  expect(second.output).toEqual({ window: [2, 4] });
});
