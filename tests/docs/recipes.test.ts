import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");
const page = await Bun.file(join(root, "docs", "recipes.md")).text();
const recipes = page.split(/^## /m).slice(1);

/** Paths in a recipe, with whether the recipe creates them. */
function pathsOf(recipe: string): { path: string; isNew: boolean }[] {
  const pattern = /`((?:src|native|tests|docs|deploy|scripts)\/[\w./-]+\.\w+)`( \(new\))?/g;
  return [...recipe.matchAll(pattern)].map(([, path = "", mark]) => ({ path, isNew: mark !== undefined }));
}

test("there is a recipe for each kind of addition", () => {
  expect(recipes.map((recipe) => recipe.split("\n")[0])).toEqual([
    "A sample format",
    "A detector",
    "A pattern",
    "A built-in model",
    "A metric",
    "An event",
    "A dialect",
    "A transport",
  ]);
});

test.each(recipes.map((recipe) => [recipe.split("\n")[0] ?? "", recipe]))(
  "the files that the recipe for %s changes exist; those that it creates may, once it has been followed",
  (_, recipe) => {
    const paths = pathsOf(recipe);
    expect(paths.length).toBeGreaterThan(3);
    expect(paths.filter(({ path, isNew }) => !isNew && !existsSync(join(root, path)))).toEqual([]);
    expect(recipe).toContain("`tests/data/surface.json`: record it.");
    expect(recipe).toMatch(/`tests\/[\w./-]+\.test\.ts`/);
  },
);
