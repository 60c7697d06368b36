import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { root } from "../support/documents.ts";
import { applyEdit, ProjectCopy, readRecipes, RECORDED } from "../support/recipes.ts";

/** Far longer than these tests take, so that a busy machine does not fail them. */
const LIMIT_MS = 300_000;

/** What each recipe adds, as the recorded surface shows it; undefined: nothing that it shows. */
const ADDITIONS: Readonly<Record<string, string | undefined>> = {
  "A sample format": "f16",
  "A detector": "peak",
  "A pattern": "/api/v1/whole",
  "A built-in model": "crossings",
  "An example in Python": undefined,
  "A metric": "streamer_flushes_total",
  "An event": "split",
  "A dialect": "/plain",
  "A transport": "server.tcp_port",
};

/** Named tests that take long, and that the same change is unlikely to fail alone. */
const SLOW = new Set(["tests/contracts/conservation.test.ts", "tests/contracts/chunk-invariance.test.ts"]);

const recipes = readRecipes(await Bun.file(join(root, "docs", "recipes.md")).text());

test("there is a recipe for each kind of addition", () => {
  expect(recipes.map(({ title }) => title)).toEqual(Object.keys(ADDITIONS));
});

describe.each(recipes.map((recipe) => [recipe.title, recipe] as const))("the recipe for %s", (_, recipe) => {
  test("names files that exist, the record of the surface, and a test", () => {
    expect(recipe.steps.filter(({ path, isNew }) => !isNew && !existsSync(join(root, path)))).toEqual([]);
    expect(recipe.tests.filter((path) => !existsSync(join(root, path)))).not.toEqual(recipe.tests);
    expect(recipe.text).toContain(`\`${RECORDED}\`: record it.`);
  });

  test(
    "compiles and passes the tests that it names, with changes to no other files",
    async () => {
      await using copy = await ProjectCopy.create();
      await copy.follow(recipe);
      const tests = recipe.tests.filter((path) => !SLOW.has(path)).map((path) => `./${path}`);
      const runs = [copy.run("check", "--no-script"), copy.run("test", `--timeout=${LIMIT_MS}`, ...tests)];
      // Neither runs on when the other has failed, since the copy is removed then.
      await Promise.allSettled(runs);
      await Promise.all(runs);
      const named = recipe.steps.map(({ path }) => path).filter((path) => path !== RECORDED);
      expect(await copy.changes()).toEqual(named.sort());
    },
    LIMIT_MS,
  );
});

test(
  "all recipes together add to what is visible from outside, and record it",
  async () => {
    await using copy = await ProjectCopy.create();
    for (const recipe of recipes) await copy.follow(recipe);
    await copy.run("scripts/record-surface.ts");
    const before = new Set((await Bun.file(join(root, RECORDED)).text()).split("\n"));
    const added = (await copy.read(RECORDED)).split("\n").filter((line) => !before.has(line));
    const missing = Object.values(ADDITIONS).filter(
      (name) => name !== undefined && !added.some((line) => line.includes(name)),
    );
    expect(missing).toEqual([]);
  },
  LIMIT_MS,
);

describe("an edit", () => {
  const text = "a(1)\nb(2)\nc(3)\n";

  test("keeps its context, removes and adds lines, and takes over what an ellipsis stands for", () => {
    expect(applyEdit(text, " a(1)\n+new\n")).toBe("a(1)\nnew\nb(2)\nc(3)\n");
    expect(applyEdit(text, "-a(…)\n+A(…, 9)\n b(…)\n@@\n+d\n c(3)\n")).toBe("A(1, 9)\nb(2)\nd\nc(3)\n");
  });

  test("is refused when its place is missing or not unique", () => {
    expect(() => applyEdit(text, " d\n+new\n")).toThrow("these lines: found 0 times; allowed: once\nd");
    expect(() => applyEdit(text, " …(…)\n+new\n")).toThrow("found 3 times");
  });
});
