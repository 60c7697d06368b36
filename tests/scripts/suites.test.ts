import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chosenSuites, suiteFiles, SUITES } from "../../scripts/suites.ts";

const root = join(import.meta.dir, "..", "..");

test("suites are chosen by name, and none without the variable", () => {
  expect(chosenSuites(undefined)).toEqual([]);
  expect(chosenSuites("")).toEqual([]);
  expect(chosenSuites("engines, interop")).toEqual(["engines", "interop"]);
});

test("a name that is not a suite is refused with the list of suites", () => {
  const allowed = "interop, engines, browser, proxies, images, torture";
  expect(() => chosenSuites("interop,engine")).toThrow(`STREAMER_SUITES: found "engine"; allowed: ${allowed}`);
  expect(() => chosenSuites("toString")).toThrow("toString");
});

test("the files of a suite are those in its folder", async () => {
  const files = await suiteFiles(root, "engines");
  const found = await Array.fromAsync(new Bun.Glob("tests/suites/engines/*.test.ts").scan(root));
  expect(files).toEqual(found.sort());
  expect(files).toContain("tests/suites/engines/pocketsphinx.test.ts");
  const folder = await mkdtemp(join(tmpdir(), "streamer suites "));
  expect(await suiteFiles(folder, "browser")).toEqual([]);
  await rm(folder, { recursive: true });
});

test("every folder of tests/suites is a suite", async () => {
  const files = await Array.fromAsync(new Bun.Glob("*/**/*").scan(join(root, "tests", "suites")));
  expect(files.length).toBeGreaterThan(0);
  expect(files.map((file) => file.split("/")[0]!).filter((name) => !Object.hasOwn(SUITES, name))).toEqual([]);
});

test("plain `bun test` leaves the suites out, and runs one that is asked for by its files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer suites "));
  try {
    const one = `import { test } from "bun:test"; test("it", () => {});`;
    await mkdir(join(folder, "scripts"));
    await Bun.write(join(folder, "bunfig.toml"), await Bun.file(join(root, "bunfig.toml")).text());
    await Bun.write(join(folder, "scripts", "test-preload.ts"), "");
    await Bun.write(join(folder, "tests", "core.test.ts"), one);
    await Bun.write(join(folder, "tests", "suites", "torture", "long.test.ts"), one);
    const run = async (...args: string[]): Promise<string> => {
      const child = Bun.spawn([process.execPath, "test", ...args], { cwd: folder, stdout: "ignore", stderr: "pipe" });
      return await child.stderr.text();
    };
    const plain = await run();
    expect(plain).toContain("core.test.ts");
    expect(plain).not.toContain("long.test.ts");
    const asked = await run("--path-ignore-patterns=-", "tests/suites/torture");
    expect(asked).toContain("long.test.ts");
    expect(asked).not.toContain("core.test.ts");
  } finally {
    await rm(folder, { recursive: true });
  }
});
