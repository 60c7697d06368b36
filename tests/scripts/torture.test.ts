import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EarlierRows } from "../../scripts/torture/earlier-rows.ts";
import { NAMES, type Plan, planFor } from "../../scripts/torture/plan.ts";
import { type Row, rowOf, tableOf } from "../../scripts/torture/rows.ts";
import { TortureRun } from "../../scripts/torture/torture-run.ts";
import type { PromiseName } from "../support/promises.ts";
import type { Proof } from "../support/proof.ts";
import { waitUntil } from "../support/wait.ts";

const ROOT = join(import.meta.dir, "..", "..");
const PROOF: Proof = { promise: "ledger", figure: "0 missing", passed: true, seconds: 90, load: 1.5 };

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-torture-test-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("every promise has a test, and none that judges memory or time runs beside another", async () => {
  const { together, alone } = await planFor(ROOT, NAMES);
  const proven = new Set([...together, ...alone].flatMap(({ promises }) => promises));
  expect([...NAMES].filter((name) => !proven.has(name))).toEqual([]);
  expect([...together, ...alone].map(({ path }) => path)).not.toContain(join("tests", "scripts", "torture.test.ts"));
  const beside = together.flatMap(({ promises }) => promises);
  expect(beside.filter((name) => ["soak", "deaths", "idle", "overload", "floods"].includes(name))).toEqual([]);
});

test("a row has the figures of all tests of its promise, or only those that failed; without any, it fails", () => {
  const other: Proof = { ...PROOF, figure: "20 streams", seconds: 30, load: 3 };
  const name = "ledger";
  const row: Row = { name, figure: "0 missing; 20 streams", passed: true, minutes: 2, load: 3 };
  expect(rowOf("ledger", [PROOF, other, { ...PROOF, promise: "soak" }])).toEqual(row);
  const broken = { ...other, passed: false, figure: "1\n missing" };
  expect(rowOf("ledger", [PROOF, broken])).toMatchObject({ figure: "1 missing", passed: false });
  expect(rowOf("ledger", [PROOF, other, other]).figure).toBe("0 missing; 40 streams");
  expect(rowOf("ledger", [])).toMatchObject({ figure: "not proven", passed: false });
});

test("rows that passed are gone on with on the same commit and in the same form alone, and say which run they are of", async () => {
  const path = join(folder, "rows");
  const row = rowOf("ledger", [PROOF]);
  const rows = new EarlierRows(path, "commit a", "long");
  rows.add(row);
  rows.add({ ...row, name: "soak", passed: false });
  const [found, ...more] = await rows.read();
  expect(found).toEqual({ ...row, earlier: expect.stringMatching(/^run of \d{4}-\d\d-\d\d \d\d:\d\d$/) });
  expect(more).toEqual([]);
  expect(tableOf([found!])).toContain(`| 1.5, ${found?.earlier} |`);
  expect(await new EarlierRows(path, "commit b", "long").read()).toEqual([]);
  expect(await new EarlierRows(path, "commit a", "endless").read()).toEqual([]);
  expect(() => new EarlierRows(path, "commit a with changes", "long")).toThrow("allowed: a working copy without");
});

describe("a run", () => {
  // By another name: this file is none of those that prove a promise.
  const imports = `
    import { test } from "bun:test";
    import { prove as proving } from ${JSON.stringify(join(ROOT, "tests", "support", "proof.ts"))};`;

  /** A run of one file of tests in a project of its own. */
  async function running(text: string, promises: readonly PromiseName[], signal = new AbortController().signal) {
    const root = await mkdtemp(join(folder, "project-"));
    await mkdir(join(root, "tests"));
    const path = join("tests", "some.test.ts");
    await Bun.write(join(root, path), imports + text);
    const plan: Plan = { together: [{ path, promises, minutes: 1 }], alone: [] };
    const [lines, rows]: [string[], Row[]] = [[], []];
    const found = { print: (line: string) => void lines.push(line), done: (row: Row) => void rows.push(row) };
    const run = new TortureRun({ root, folder: root, form: "short", seed: 7, plan, signal, ...found });
    return { ended: run.run(), run, lines, rows, root };
  }

  test("prints a line for each promise with its minutes and figure, and gives the tests form and seed", async () => {
    const text = `
      test("one", () => proving("ledger", () => process.env.STREAMER_TORTURE + " " + process.env.STREAMER_SEED));
      test("two", () => proving("scheduler", () => "none broken"));
      test("not asked for", () => proving("soak", () => { throw new Error("has been run"); }));`;
    const { ended, run, lines, rows } = await running(text, ["ledger", "scheduler"]);
    await ended;
    expect(run.problems).toEqual([]);
    expect(lines.map((line) => line.trim().replace(/\s+/g, " "))).toEqual([
      "0.0 min started tests/some.test.ts: ledger, scheduler",
      "0.0 min pass ledger, 0.0 min: short 7",
      "0.0 min pass scheduler, 0.0 min: none broken",
    ]);
    expect(rows.map(({ name, passed }) => [name, passed])).toEqual([
      ["ledger", true],
      ["scheduler", true],
    ]);
  });

  test("whose file crashes after a proof counts its promises as broken, with the reason", async () => {
    const text = `
      test("one", () => proving("ledger", () => "0 missing"));
      test("crash", () => process.kill(process.pid, "SIGKILL"));`;
    const { ended, run, rows } = await running(text, ["ledger", "scheduler"]);
    await ended;
    expect(run.problems).toHaveLength(1);
    expect(rows).toMatchObject([
      { name: "ledger", passed: false, figure: expect.stringContaining("a crash") },
      { name: "scheduler", passed: false },
    ]);
  });

  test("that is stopped ends its tests and what they have started, and has no row of what has not ended", async () => {
    const text = `
      test("one", async () => {
        const child = Bun.spawn(["setsid", "sleep", "600"]);
        await Bun.write("pid", String(child.pid));
        await child.exited;
      });`;
    const stop = new AbortController();
    const { ended, run, rows, root } = await running(text, ["ledger"], stop.signal);
    const pid = async (): Promise<string> => await Bun.file(join(root, "pid")).text();
    await waitUntil("the test to have started a process", async () => (await pid().catch(() => "")) !== "");
    const started = `/proc/${await pid()}/stat`;
    const runs = async (): Promise<boolean> =>
      / [RSD] /.test(
        await Bun.file(started)
          .text()
          .catch(() => ""),
      );
    expect(await runs()).toBeTrue();
    stop.abort();
    await ended;
    await waitUntil("the end of the process", async () => !(await runs()));
    expect([run.problems, rows]).toEqual([[], []]);
  });
});
