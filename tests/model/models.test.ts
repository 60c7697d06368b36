import { expect, test } from "bun:test";
import { resolve } from "node:path";

import { loadModule } from "../../src/model/load-module.ts";
import {
  builtInModels,
  describeModelSettings,
  fileName,
  isModelPath,
  validateModelSettings,
} from "../../src/model/models.ts";

test("a model is a file if it looks like a path, else a built-in name", () => {
  for (const path of ["./m", "/a/b.ts", "m.ts", "m.mjs", "a/b", "..\\m.js"]) expect(isModelPath(path)).toBe(true);
  for (const name of ["simulated", "levels", "my-model", "ts"]) expect(isModelPath(name)).toBe(false);
});

test("every built-in model is found by its name and, but for where engines are, needs no settings", async () => {
  for (const name of builtInModels) {
    expect((await loadModule(name)).name).toBe(name);
    const settings = name === "remote" ? { urls: "http://127.0.0.1:8000", model: "m" } : {};
    expect(validateModelSettings(name, settings)).toEqual([]);
  }
});

test("an unknown name is refused with the nearest one; the settings of a file are checked when it is loaded", () => {
  expect(validateModelSettings("simulate", {})).toEqual([expect.stringContaining('did you mean "simulated"?')]);
  expect(validateModelSettings("./tests/support/models/puppet.ts", { anything: 1 })).toEqual([]);
});

test("a missing file is refused before it is loaded, with its absolute path", () => {
  const [problem, ...more] = validateModelSettings("./no/such.ts", {});
  expect(problem).toBe(`name: "./no/such.ts": there is no such file; looked for ${resolve("no/such.ts")}`);
  expect(more).toEqual([]);
  expect(validateModelSettings("./tests/support/models", {})).toEqual([expect.stringContaining("it is not a file")]);
});

test("a model file has a name without folder and extension, a built-in model has no file", () => {
  expect(["./secret/place/my-model.ts", "/a/b.mjs", "m.js", "simulated"].map(fileName)).toEqual([
    "my-model",
    "b",
    "m",
    undefined,
  ]);
});

test("settings of a built-in model are described with default, unit and meaning; those of a file are unknown", () => {
  expect(describeModelSettings("simulated")["delay"]).toEqual({
    default: 0.02,
    unit: "s",
    meaning: "time that every call takes",
  });
  for (const { default: preset, meaning } of Object.values(describeModelSettings("simulated"))) {
    expect(typeof preset).toBe("number");
    expect(meaning).toBeString();
  }
  expect(describeModelSettings("./my-model.ts")).toEqual({});
});
