import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { fuzzTargets } from "../../scripts/fuzz.ts";
import { nativeFolder } from "../../scripts/native.ts";

/** Largest corpus of a target in the repository, in bytes and in files. */
const MOST_BYTES = 131_072;
const MOST_FILES = 100;

/** Comments are no calls. */
function source(...path: string[]): string {
  return readFileSync(join(nativeFolder, ...path), "utf8").replaceAll(/\/\*[^]*?\*\//g, "");
}

/** The names of the functions that the header declares. */
function declared(header: string): string[] {
  return [...header.matchAll(/\bSA_API\b[^;]*?\b(sa_\w+)\s*\(/g)].map(([, name = ""]) => name);
}

const targets = fuzzTargets().map((target) => source("fuzz", `${target}.c`));

function called(name: string): boolean {
  return targets.some((text) => new RegExp(`\\b${name}\\s*\\(`).test(text));
}

describe("fuzzing of the C library", () => {
  test("every function of the header is called by a target", () => {
    const names = declared(source("streamer_audio.h"));
    expect(names.length).toBeGreaterThan(50);
    expect(names.filter((name) => !called(name))).toEqual([]);
  });

  test("a function without a target would be noticed", () => {
    expect(declared("SA_API const float *sa_new_thing(const sa_arena *arena,\n  uint32_t x);")).toEqual([
      "sa_new_thing",
    ]);
    expect(called("sa_new_thing")).toBeFalse();
  });

  test.each(fuzzTargets())("the corpus of %s is kept, and small", (target) => {
    const folder = join(nativeFolder, "fuzz", "corpus", target);
    const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
    expect(sizes.length).toBeGreaterThan(0);
    expect(sizes.length).toBeLessThanOrEqual(MOST_FILES);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MOST_BYTES);
  });
});
