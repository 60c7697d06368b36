import { expect, test } from "bun:test";

import { resolvePythonSettings } from "../../src/model/python-module.ts";

function resolve(values: object, configured = {}, kinds = {}, misspelled: string[] = []): unknown {
  try {
    return resolvePythonSettings({ values, kinds, misspelled }, configured, "/x.py");
  } catch (error) {
    return (error as Error).message;
  }
}

test("the settings of a model in Python have their defaults, and unknown ones are refused", () => {
  const settings = { floor: { default: -90, unit: "dBFS" }, word: { default: null } };
  expect(resolve({ name: "x", settings }, { word: 5 })).toEqual({ settings: { floor: -90, word: 5 }, problems: [] });
  expect(resolve({ name: "x", settings }, { flor: 5, floor: "a" })).toMatchObject({
    problems: [`unknown setting "flor"; did you mean "floor"?`, `floor: found "a"; allowed: a number`],
  });
  expect(resolve({ name: "x" }, { any: 1 })).toEqual({ settings: { any: 1 }, problems: [] });
});

test.each([
  [{}, `name: found nothing; allowed: a string that is not blank`],
  [{ name: " " }, `name: found " "; allowed: a string that is not blank`],
  [{ name: "x", sample_rate: "8000" }, `sample_rate: found "8000"; allowed: an integer from 4000 to 384000`],
  [{ name: "x", max_batch: 2.5 }, `max_batch: found 2.5; allowed: an integer from 1 to 1024`],
  [{ name: "x", max_batch_wait_ms: -1 }, `max_batch_wait_ms: found -1; allowed: a number from 0 to 10000`],
  [{ name: "x", idempotent: 1 }, `idempotent: found 1; allowed: true or false`],
  [{ name: "x", pinned: "yes" }, `pinned: found "yes"; allowed: true or false`],
  [
    { name: "x", concurrency: 4 },
    "concurrency: found 4; allowed: 1 (a worker in Python makes one call at a time; model.workers and max_batch serve more streams)",
  ],
  [{ name: "x", stateful: "yes" }, `stateful: found "yes"; allowed: true or false`],
  [
    { name: "x", settings: { a: 1 } },
    `settings: found an object; allowed: an object of { default, unit, meaning } by name`,
  ],
  [
    { name: "x", options: "language" },
    `options: found "language"; allowed: an array of at most 64 different names that are not empty`,
  ],
])("a model file in Python that declares %j is refused in its own spelling: %s", (values, message) => {
  expect(resolve(values)).toBe(`what the file declares is refused: ${message} (/x.py)`);
});

test("a concurrency of 1, which every model in Python has, may be declared", () => {
  expect(resolve({ name: "x", concurrency: 1 })).toEqual(resolve({ name: "x" }));
});

test("values that JSON has not, and names that are spelled as in TypeScript, are refused", () => {
  expect(resolve({ name: "x" }, {}, { max_batch: "a value of the type set" }, ["sampleRate"])).toBe(
    "what the file declares is refused: max_batch: found a value of the type set; allowed: an integer from 1 to 1024; " +
      "sampleRate: in Python its name is sample_rate (/x.py)",
  );
});

test.each([[undefined], [5], [{}], [{ values: {}, kinds: {} }]])(
  "a declaration that is none (%j) is refused",
  (declared) => {
    expect(() => resolvePythonSettings(declared, {}, "/x.py")).toThrow("its worker sends no declaration of a model");
  },
);
