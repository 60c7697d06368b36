import { describe, expect, test } from "bun:test";

import { TensorFields, zeros } from "../../../src/model/remote/tensor-fields.ts";
import { isElement, type Tensor } from "../../../src/model/remote/tensor.ts";

const settings = { input: "audio", datatype: "FP32", rank: 2 } as const;
const tensor = (name: string, datatype: Tensor["datatype"], shape: number[], data: Tensor["data"]): Tensor => {
  return { name, datatype, shape, data };
};

describe("the inputs of a call", () => {
  test.each([
    [1, [3]],
    [2, [1, 3]],
    [3, [1, 1, 3]],
  ])("have the audio in %d dimensions", (rank, shape) => {
    const [audio] = new TensorFields({ ...settings, rank }).inputs(Float32Array.of(0, 0.5, -1));
    expect(audio).toEqual(tensor("audio", "FP32", shape, Float32Array.of(0, 0.5, -1)));
  });

  test("have the audio as half floats, or as whole numbers that do not wrap around", () => {
    const audio = Float32Array.of(0.5, 1, -1, 1.5);
    const dataOf = (datatype: "FP16" | "INT16") => new TensorFields({ ...settings, datatype }).inputs(audio)[0]?.data;
    expect(dataOf("FP16")).toEqual(Float16Array.of(0.5, 1, -1, 1.5));
    expect(dataOf("INT16")).toEqual(Int16Array.of(16_384, 32_767, -32_768, 32_767));
  });

  test("have the number of samples, and constants", () => {
    const inputs = {
      sr: { datatype: "INT64" as const, shape: [1], data: [16_000] },
      language: { datatype: "BYTES" as const, shape: [1, 1], data: ["en"] },
    };
    const fields = new TensorFields({ ...settings, inputs, length_input: "length" });
    expect(fields.inputs(new Float32Array(5)).slice(1)).toEqual([
      tensor("sr", "INT64", [1], BigInt64Array.of(16_000n)),
      tensor("language", "BYTES", [1, 1], ["en"]),
      tensor("length", "INT64", [1, 1], BigInt64Array.of(5n)),
    ]);
  });
});

describe("options of a client", () => {
  const inputs = { beam: { datatype: "INT32" as const, shape: [1], data: [4] } };
  const fields = new TensorFields({ ...settings, inputs, options: { language: "LANGUAGE", beam_size: "beam" } });

  test("are texts, or take the place of a constant, with its type", () => {
    expect(fields.inputs(new Float32Array(1)).slice(1)).toEqual([tensor("beam", "INT32", [1], Int32Array.of(4))]);
    expect(fields.inputs(new Float32Array(1), { beam_size: 8, language: "de" }).slice(1)).toEqual([
      tensor("LANGUAGE", "BYTES", [1, 1], ["de"]),
      tensor("beam", "INT32", [1], Int32Array.of(8)),
    ]);
  });

  test.each([
    [{ language: 1 }, "options.language: found 1; allowed: a value for a tensor of the type BYTES with one element"],
    [
      { beam_size: 1.5 },
      "options.beam_size: found 1.5; allowed: a value for a tensor of the type INT32 with one element",
    ],
    [
      { beam_size: {} },
      "options.beam_size: found an object; allowed: a value for a tensor of the type INT32 with one element",
    ],
  ])("of another type are refused: %j", (options, message) => {
    expect(() => fields.inputs(new Float32Array(1), options)).toThrow(message);
  });

  test.each([
    ["UINT8", [0, 255, true], [-1, 256, 0.5]],
    ["INT16", [-32_768, 32_767], [-32_769, 32_768, NaN]],
    ["UINT64", [0, 2 ** 53 - 1], [-1, 2 ** 53]],
    ["INT64", [-(2 ** 53 - 1)], [2 ** 53, Infinity]],
    ["FP16", [-65_504, 0.1], [70_000, Infinity]],
    ["FP32", [3e38, 0.1], [1e39, NaN]],
    ["BYTES", ["", "de"], [1, true]],
  ] as const)("are not changed by their type %s, or refused", (datatype, allowed, refused) => {
    const isAllowed = (value: unknown): boolean => isElement(value, datatype);
    expect([...allowed].map(isAllowed)).toEqual([...allowed].map(() => true));
    expect([...refused].map(isAllowed)).toEqual([...refused].map(() => false));
  });
});

describe("the fields of a result", () => {
  const outputs = [
    tensor("text", "BYTES", [1, 1], ["hello"]),
    tensor("count", "INT64", [1], BigInt64Array.of(7n)),
    tensor("big", "INT64", [], BigInt64Array.of(2n ** 60n)),
    tensor("speech", "BOOL", [1], Uint8Array.of(1)),
    tensor("levels", "FP32", [1, 3], Float32Array.of(0, 0.5, 1)),
    tensor("matrix", "INT32", [1, 2, 2], Int32Array.of(1, 2, 3, 4)),
    tensor("none", "FP32", [1, 0], new Float32Array(0)),
  ];

  test("are all outputs by their names: values, and lists for several elements", () => {
    expect(new TensorFields(settings).fields({ outputs })).toEqual({
      text: "hello",
      count: 7,
      big: "1152921504606846976",
      speech: true,
      levels: [0, 0.5, 1],
      matrix: [
        [1, 2],
        [3, 4],
      ],
      none: [],
    });
  });

  test("are those that are configured, and only these are asked for", () => {
    const fields = new TensorFields({ ...settings, fields: { transcript: "text", n: "count" } });
    expect(fields.wanted(["state_next"])).toEqual(["text", "count", "state_next"]);
    expect(fields.fields({ outputs })).toEqual({ transcript: "hello", n: 7 });
    expect(new TensorFields({ ...settings, output: "count" }).fields({ outputs })).toEqual({ count: 7 });
    expect(new TensorFields(settings).wanted(["state_next"])).toBeUndefined();
  });

  test("have the field audio as sound", () => {
    const fields = new TensorFields({ ...settings, fields: { audio: "sound" } });
    const soundOf = (type: Tensor["datatype"], data: Tensor["data"]) =>
      fields.fields({ outputs: [tensor("sound", type, [1, 2], data)] })["audio"];
    expect(soundOf("FP32", Float32Array.of(0.5, -1))).toEqual(Float32Array.of(0.5, -1));
    expect(soundOf("FP16", Float16Array.of(0.5, -1))).toEqual(Float32Array.of(0.5, -1));
    expect(soundOf("INT16", Int16Array.of(16_384, -32_768))).toEqual(Float32Array.of(0.5, -1));
    expect(() => soundOf("BYTES", ["a", "b"])).toThrow('the output "sound" of the type BYTES is no sound');
  });

  test("that the answer does not have are an error with the names that it has", () => {
    const fields = new TensorFields({ ...settings, output: "words" });
    expect(() => fields.fields({ outputs: outputs.slice(0, 2) })).toThrow(
      'the answer has no output "words"; it has text, count',
    );
  });
});

test("the first state is zeros, with 1 for dimensions that are free", () => {
  expect(zeros({ name: "h", datatype: "FP64", shape: [-1, 2] })).toEqual(
    tensor("h", "FP64", [1, 2], new Float64Array(2)),
  );
  expect(zeros({ name: "h", datatype: "BYTES", shape: [-1] })).toEqual(tensor("h", "BYTES", [1], [""]));
});

test.each([[[1e9]], [[4_097, 4_096]], [[NaN]], [[1.5]]])("a first state of the shape %j is refused", (shape) => {
  expect(() => zeros({ name: "cache", datatype: "FP32", shape })).toThrow(/"cache" has the shape .*16777216 elements/);
});
