import { expect, test } from "bun:test";

import { builtInModels, isModelPath, loadModule, validateModelSettings } from "../../src/model/models.ts";

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
  expect(validateModelSettings("./tests/model/models/puppet.ts", { anything: 1 })).toEqual([]);
});
