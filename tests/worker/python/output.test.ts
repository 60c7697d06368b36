import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";

import { MAX_SAMPLE_RATE } from "../../../src/lib/sample-format.ts";
import { RESERVED_FIELDS } from "../../../src/protocol/events.ts";
import { MAX_AUDIO_SAMPLES, MAX_OUTPUT_LENGTH } from "../../../src/worker/output.ts";
import { PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
let child: PythonChild;

beforeAll(async () => {
  if (python !== undefined) child = await PythonChild.ready({ python, model: pythonModel("obedient") });
});
afterAll(async () => {
  if (python !== undefined) await child[Symbol.asyncDispose]();
});

async function outputOf(value: string): Promise<unknown> {
  return (await child.order(`result = ${value}`)).output;
}

async function errorOf(value: string): Promise<unknown> {
  const { error, ...rest } = await child.order(`result = ${value}`);
  expect(rest).toEqual({});
  return error;
}

testHere("an exception in Python may have a code for the client; the server decides which ones count", async () => {
  const raised = (code: string) => child.order(`error = KeyError("away"); error.code = ${code}; raise error`);
  expect(await raised('"model_unavailable"')).toMatchObject({ error: "KeyError: 'away'", code: "model_unavailable" });
  expect(await raised("503")).not.toHaveProperty("code");
  expect(await raised('"x" * 65')).not.toHaveProperty("code");
});

testHere("an output in Python arrives as JSON has it: numbers, text, True, None, dicts, lists and tuples", async () => {
  expect(await outputOf(`{"a": [1, 2.5, -0.0, (True, None)], "b": {"c": "ü\\n\\"", "": []}, "n": 2**53 - 1}`)).toEqual({
    a: [1, 2.5, -0, [true, null]],
    b: { c: 'ü\n"', "": [] },
    n: 2 ** 53 - 1,
  });
  expect(await outputOf("{}")).toEqual({});
  const tagged = `type("D", (dict,), {})(x=type("F", (float,), {})(0.5), y=type("I", (int,), {})(3))`;
  expect(await outputOf(tagged)).toEqual({ x: 0.5, y: 3 });
  expect(await outputOf(`{"audio": None, "x": 1}`)).toEqual({ x: 1 });
  expect(await outputOf(`{"half": "\\ud83d", "whole": "\\U0001f600"}`)).toEqual({ half: "\ud83d", whole: "😀" });
});

testHere.each([
  ["None", "the model's output must be a dict, not None"],
  ["[1]", "the model's output must be a dict, not a list"],
  ...RESERVED_FIELDS.filter((name) => name !== "audio").map((name): [string, string] => [
    `{"${name}": 1}`,
    `the model's output has a field "${name}", which is reserved by the protocol`,
  ]),
  [`{"deep": {"level": [0, float("nan")]}}`, `"deep".level[1] is NaN, which JSON cannot represent`],
  [`{"up": float("inf")}`, `"up" is Infinity, which JSON cannot represent`],
  [`{"down": -float("inf")}`, `"down" is -Infinity, which JSON cannot represent`],
  [`{"raw": [b"x"]}`, `"raw"[0] is a bytes, which JSON cannot represent`],
  [`{"raw": bytearray(2)}`, `"raw" is a bytearray, which JSON cannot represent`],
  [`{"many": {1}}`, `"many" is a set, which JSON cannot represent (a list is)`],
  [`{"z": 1j}`, `"z" is a complex, which JSON cannot represent`],
  [`{"big": 2**53}`, `"big" is an integer beyond 2^53, which JSON cannot represent exactly`],
  [`{"big": -10**400}`, `"big" is an integer beyond 2^53, which JSON cannot represent exactly`],
  [`{"f": len}`, `"f" is a builtin_function_or_method, which JSON cannot represent`],
  [`{1: 2}`, "the output has the key 1; allowed: strings"],
  [`{"a": {None: 2}}`, `"a" has the key None; allowed: strings`],
  [
    `{"d": __import__("dataclasses").make_dataclass("Word", ["text"])("a")}`,
    `"d" is a Word, which JSON cannot represent (dataclasses.asdict() makes a dict of it)`,
  ],
  [
    `{"t": type("Tensor", (), {"tolist": lambda self: []})()}`,
    `"t" is a Tensor, which JSON cannot represent (its .tolist() is)`,
  ],
])("the output %s is refused: %s", async (value, message) => {
  expect(await errorOf(value)).toBe(message);
});

testHere("an output that contains itself, or is nested too deeply, is refused", async () => {
  const { error } = await child.order("result = {}\nresult['again'] = result");
  expect(error).toMatch(/^"again"\.again.* is nested deeper than 32 levels, or contains itself$/);
  expect((await child.order("result = {'a': 0}\nfor _ in range(31): result = {'a': result}")).error).toBeUndefined();
  expect((await child.order("result = {'a': 0}\nfor _ in range(32): result = {'a': result}")).error).toContain("32");
});

testHere("an output is limited in length", async () => {
  const length = MAX_OUTPUT_LENGTH - `{"a":""}`.length;
  expect((await child.order(`result = {"a": "ü" * ${length}}`)).error).toBeUndefined();
  expect(await errorOf(`{"a": "ü" * ${length + 1}}`)).toBe(
    `the model's output has ${MAX_OUTPUT_LENGTH + 1} characters of JSON; allowed: ${MAX_OUTPUT_LENGTH}`,
  );
});

testHere("`audio` in an output is sent as sound, with the rate of the model or its own", async () => {
  const samples = [0.5, -1, 0.25];
  const own = await child.order(`result = {"n": 1, "audio": audio}`, { samples });
  expect(own).toEqual({ output: { n: 1 }, audio: { samples: Float32Array.from(samples), sampleRate: 16_000 } });
  const other = await child.order(
    `import array\nresult = {"audio": {"samples": array.array("d", [0.5, 0.25]), "sample_rate": 8000}}`,
  );
  expect(other).toEqual({ output: {}, audio: { samples: Float32Array.of(0.5, 0.25), sampleRate: 8000 } });
  const empty = await child.order(`result = {"audio": audio}`);
  expect(empty).toEqual({ output: {}, audio: { samples: new Float32Array(), sampleRate: 16_000 } });
  const strided = await child.order(`import array\nresult = {"audio": memoryview(array.array("f", range(4)))[::2]}`);
  expect(strided.audio?.samples).toEqual(Float32Array.of(0, 2));
});

testHere.each([
  ["[0.5]", "found a list"],
  [`b"1234"`, "found a bytes"],
  [`memoryview(b"1234")`, "found a memoryview"],
  [`{"samples": audio}`, "found the sample_rate None"],
  [`{"samples": audio, "sample_rate": 8000.5}`, "found the sample_rate 8000.5"],
  [`{"samples": audio, "sample_rate": True}`, "found the sample_rate True"],
  [`{"samples": audio, "sample_rate": -1}`, "found the sample_rate -1"],
  [`{"sample_rate": 8000}`, "found None"],
])("the audio %s is refused: %s", async (value, found) => {
  expect(await errorOf(`{"audio": ${value}}`)).toBe(
    `the output's "audio" must be a float32 array of one dimension, or {'samples': array, 'sample_rate': Hz}; ${found}`,
  );
});

testHere("the audio of an output is limited in length", async () => {
  const order = `import array\nresult = {"audio": array.array("f", bytes(4 * ${MAX_AUDIO_SAMPLES + 1}))}`;
  expect((await child.order(order)).error).toBe(
    `the output's "audio" has ${MAX_AUDIO_SAMPLES + 1} samples; allowed: ${MAX_AUDIO_SAMPLES}`,
  );
});

testHere.each(["384_001", "10**12", "10**400"])(
  "audio with a sample rate of %s costs its call, not the worker",
  async (rate) => {
    const { error } = await child.order(`result = {"audio": {"samples": audio, "sample_rate": ${rate}}}`);
    expect(error).toStartWith('the output\'s "audio" has the sample_rate ');
    expect(error).toEndWith("; allowed: 1 to 384000 Hz");
    const highest = await child.order(`result = {"audio": {"samples": audio, "sample_rate": 384_000}}`);
    expect(highest.audio?.sampleRate).toBe(MAX_SAMPLE_RATE);
  },
);
