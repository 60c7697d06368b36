import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { suiteFiles } from "../../scripts/suites.ts";
import { coreFiles, expectedMs, SECONDS, testPlan } from "../../scripts/test-plan.ts";

const root = join(import.meta.dir, "..", "..");

test("without a suite, all core tests run together, and no file of a suite", async () => {
  const [all, ...more] = await testPlan(root, []);
  expect(more).toEqual([]);
  expect(all?.files).toEqual(await coreFiles(root));
  expect(all?.files).toContain("tests/scripts/test-plan.test.ts");
  expect(all?.files.filter((file) => file.startsWith("tests/suites/"))).toEqual([]);
});

test("each file of the chosen suites runs once, after the others those that judge memory, time or a machine", async () => {
  const [together, judging] = await testPlan(root, ["torture", "proxies"]);
  const both = [...(together?.files ?? []), ...(judging?.files ?? [])];
  const chosen = [await coreFiles(root), await suiteFiles(root, "torture"), await suiteFiles(root, "proxies")];
  expect(both.sort()).toEqual(chosen.flat().sort());
  expect(judging?.files).toContain("tests/suites/torture/soak.test.ts");
  expect(judging?.parallel).toBeLessThan(together?.parallel ?? 0);
});

test("the files that are known to take long exist, and are expected to take longer than others", () => {
  expect(Object.keys(SECONDS).filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(expectedMs("tests/docs/recipes.test.ts")).toBeGreaterThan(expectedMs("tests/suites/torture/drain.test.ts"));
  expect(expectedMs("tests/suites/torture/drain.test.ts")).toBeGreaterThan(expectedMs("tests/lib/clock.test.ts"));
});
