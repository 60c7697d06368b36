import { expect, test } from "bun:test";
import { resolve } from "node:path";

import {
  builtInModels,
  describeModelSettings,
  isModelPath,
  loadModule,
  modelName,
  validateModelSettings,
} from "../../src/model/models.ts";

test("a model is a file when it looks like a path, and a name otherwise", () => {
  for (const path of ["./m", "/a/b.ts", "m.ts", "m.mjs", "a/b", "..\\m.js"]) expect(isModelPath(path)).toBe(true);
  for (const name of ["simulated", "levels", "my-model", "ts"]) expect(isModelPath(name)).toBe(false);
});

test("every built-in model is found by its own name and takes no settings", async () => {
  for (const name of builtInModels) {
    expect((await loadModule(name)).name).toBe(name);
    expect(validateModelSettings(name, {})).toEqual([]);
  }
});

test("an unknown name is refused with the nearest one; a file is asked when it is loaded", () => {
  expect(validateModelSettings("simulate", {})).toEqual([expect.stringContaining("did you mean simulated?")]);
  expect(validateModelSettings("./tests/support/models/puppet.ts", { anything: 1 })).toEqual([]);
});

test("a file that is not there is refused before anything is loaded, by the path that was looked at", () => {
  const [problem, ...more] = validateModelSettings("./no/such.ts", {});
  expect(problem).toBe(`name: "./no/such.ts": there is no such file; looked for ${resolve("no/such.ts")}`);
  expect(more).toEqual([]);
  expect(validateModelSettings("./tests/support/models", {})).toEqual([expect.stringContaining("it is not a file")]);
});

test("clients call a model file by its name without folder and extension", () => {
  expect(["./secret/place/my-model.ts", "/a/b.mjs", "m.js", "simulated"].map(modelName)).toEqual([
    "my-model",
    "b",
    "m",
    "simulated",
  ]);
});

test("the simulated model's settings are described with default, unit and meaning, and a file's are not known", () => {
  expect(describeModelSettings("simulated")["delay"]).toEqual({
    default: 0.02,
    unit: "s",
    meaning: "that every call takes",
  });
  for (const { default: preset, meaning } of Object.values(describeModelSettings("simulated"))) {
    expect(typeof preset).toBe("number");
    expect(meaning).toBeString();
  }
  expect(describeModelSettings("./my-model.ts")).toEqual({});
});
