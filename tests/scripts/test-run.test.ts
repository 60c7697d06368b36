import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runTests } from "../../scripts/test-run.ts";

const GOOD = `import { test } from "bun:test"; test("good", () => {}); test("good too", () => {});`;
const one = (body: string): string => `import { test } from "bun:test"; test("it", async () => { ${body} });`;

describe.each([1, 2])("a run of the tests, %i at a time,", (parallel) => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "streamer test run "));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Runs a project that has these test files. */
  async function run(...files: string[]) {
    const root = await mkdtemp(join(folder, "project "));
    await mkdir(join(root, "tests"));
    for (const [index, text] of files.entries()) await Bun.write(join(root, "tests", `${index}.test.ts`), text);
    return runTests(root, { output: "ignore", parallel });
  }

  test("counts what passed", async () => {
    expect(await run(GOOD, one(""))).toEqual({ passed: 3, failed: 0, skipped: 0, problems: [] });
  });

  test("counts what failed and what was skipped", async () => {
    const skipped = `import { test } from "bun:test"; test.skip("later", () => {});`;
    const found = await run(GOOD, one("throw new Error()"), skipped);
    expect(found).toEqual({ passed: 2, failed: 1, skipped: 1, problems: ["tests/1.test.ts: it"] });
  });

  test("names each test that failed, with its group", async () => {
    const inGroup = `import { describe, test } from "bun:test";
      describe('a "group" & <more>', () => test("fails", () => { throw new Error(); }));`;
    const { problems } = await run(one("throw new Error()"), inGroup);
    expect(problems.sort()).toEqual(["tests/0.test.ts: it", 'tests/1.test.ts: a "group" & <more> > fails']);
  });

  test.each([
    ["an error while a file is loaded", `throw new Error("while loading");`],
    ["an error in the background of a test", one("setTimeout(() => { throw new Error(); }, 1); await Bun.sleep(50);")],
    ["a rejection that nobody handles", one("void Promise.reject(new Error());")],
    ["a forgotten test.only", `import { test } from "bun:test"; test.only("it", () => {});`],
    ["a process that ends well too early", one("process.exit(0);")],
    ["a process that is killed", one(`process.kill(process.pid, "SIGKILL");`)],
  ])("does not overlook %s", async (_, file) => {
    const { failed, problems } = await run(GOOD, file);
    expect(failed).toBe(1);
    expect(problems).toHaveLength(1);
  });

  test("begins with the files that take long, if it is known which", async () => {
    const root = await mkdtemp(join(folder, "project "));
    const files = ["tests/a.test.ts", "tests/b.test.ts", "tests/c.test.ts"];
    const noted = join(root, "begun.txt");
    for (const file of files) {
      const text = `require("fs").appendFileSync(${JSON.stringify(noted)}, "${file}\\n"); await Bun.sleep(300);`;
      await Bun.write(join(root, file), one(text));
    }
    const expectedMs = (file: string): number => (file === "tests/c.test.ts" ? 9_000 : 1_000);
    const run = await runTests(root, { files, output: "ignore", parallel, expectedMs });
    expect(run).toMatchObject({ passed: 3, failed: 0 });
    // One at a time, the order makes no difference.
    const first = (await Bun.file(noted).text()).split("\n").slice(0, parallel);
    if (parallel > 1) expect(first).toContain("tests/c.test.ts");
  });

  test("is a failure when there are no tests", async () => {
    expect(await run()).toMatchObject({ passed: 0, failed: 1 });
    expect(await run("export {};")).toMatchObject({ passed: 0, failed: 1 });
  });
});
