import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { BUILD_MS, Program } from "../support/executable.ts";

const root = join(import.meta.dir, "..", "..");

/** Lines of the fence marked `text` that follows a heading, but for the dots that stand for what is left out. */
async function capture(document: string, heading: string): Promise<string[]> {
  const [, below = ""] = (await Bun.file(join(root, document)).text()).split(`\n## ${heading}\n`);
  const [, text = ""] = /```text\n([\s\S]*?)```/.exec(below) ?? [];
  return text.split("\n").filter((line) => line !== "" && line !== "...");
}

describe("what a document shows of the program", () => {
  let program: Program;

  beforeAll(async () => {
    program = await Program.create();
  }, BUILD_MS);

  afterAll(async () => {
    await program[Symbol.asyncDispose]();
  });

  test("the README: events, finals and ledgers of the recording", async () => {
    const server = await program.serve({ "model.delay": "0", "model.constant_factor": "0", "model.jitter": "0" });
    const input = join(root, "tests", "data", "two-speakers-48k.wav");
    const { code, out } = await program.run([
      "send",
      "-i",
      input,
      "--addr",
      `ws://127.0.0.1:${server.port}/api/v1/segmented`,
    ]);
    expect(code).toBe(0);
    // How long it took differs from time to time, and so do interims, which are not asked for here.
    const settled = (line: string): string =>
      line.replace(/ {3}\d+ ms after the last word$/, "").replace(/\d+ interims/, "interims");
    const printed = out.split("\n").map(settled);
    const shown = (await capture("README.md", "What you see")).filter(
      (line) => !/interim count|^latency|^total/.test(line),
    );
    expect(shown.length).toBeGreaterThan(8);
    expect(shown.map(settled).filter((line) => !printed.includes(line))).toEqual([]);
  });

  test("the page about models: the report of a check", async () => {
    expect((await program.run(["model", "init", "--stateful", "my-smoother"])).code).toBe(0);
    const { code, out } = await program.run(["model", "check", "./my-smoother.ts"]);
    expect(code).toBe(0);
    const settled = (line: string): string =>
      /^ok +(?:loads|time) /.test(line) ? line.replaceAll(/[\d.e-]+/g, "#") : line;
    const printed = out.split("\n").map(settled);
    const shown = await capture("docs/models.md", "What the check says");
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.map(settled).filter((line) => !printed.includes(line))).toEqual([]);
  });
});
