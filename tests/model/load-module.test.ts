import { expect, test } from "bun:test";

import { loadModule } from "../../src/model/load-module.ts";
import { modelPath } from "../support/pool-harness.ts";

test("a model file is loaded by its path, also relative to the working folder", async () => {
  for (const path of [modelPath("puppet"), "./tests/support/models/puppet.ts"]) {
    expect((await loadModule(path)).name).toBe("puppet");
  }
});

test("a name that no built-in model has is refused", async () => {
  await expect(loadModule("no-such")).rejects.toThrow('unknown model "no-such"; built in: simulated, levels, denoise');
});

test("a file that exports no module is refused with every problem", async () => {
  await expect(loadModule(modelPath("nothing"))).rejects.toThrow("the file has no default export");
  await expect(loadModule(modelPath("wrong"))).rejects.toThrow(
    "load: found 5; allowed: a function; maxBatch: found 0; allowed: an integer from 1 to 1024",
  );
  await expect(loadModule("./no/such/file.ts")).rejects.toThrow(/[Cc]annot find module/);
});
