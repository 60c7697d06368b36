import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { sharedExecutable } from "../support/executable.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const root = join(import.meta.dir, "..", "..");

/** Lines of the `text` fence below a heading, without the "..." that marks an omission. */
async function capture(document: string, heading: string): Promise<string[]> {
  const [, below = ""] = (await Bun.file(join(root, document)).text()).split(`\n## ${heading}\n`);
  const [, text = ""] = /```text\n([\s\S]*?)```/.exec(below) ?? [];
  return text.split("\n").filter((line) => line !== "" && line !== "...");
}

const executable = await sharedExecutable();

describe("program output in documents", () => {
  test("the README shows the events, finals and ledgers of the recording", async () => {
    const server = await executable.serve({ "model.delay": "0", "model.constant_factor": "0", "model.jitter": "0" });
    const input = join(root, "tests", "data", "two-speakers-48k.wav");
    const { code, out } = await executable.run([
      "send",
      "-i",
      input,
      "--addr",
      `ws://127.0.0.1:${server.port}/api/v1/segmented`,
    ]);
    expect(code).toBe(0);
    // Durations differ from run to run. Interims depend on load, so this run does not request them. The words are those
    // of a recogniser, which tests/suites/engines/demo.test.ts runs.
    const settled = (line: string): string =>
      line.replace(/final {2}(?:count=[\d,]+|".+" \(en\)).*$/, "final").replace(/\d+ interims/, "interims");
    const printed = out.split("\n").map(settled);
    const shown = (await capture("README.md", "Example output")).filter(
      (line) => !/ interim |^latency|^total/.test(line),
    );
    expect(shown.length).toBeGreaterThan(8);
    expect(shown.map(settled).filter((line) => !printed.includes(line))).toEqual([]);
  });

  test("docs/models.md shows the report of a model check", async () => {
    expect((await executable.run(["model", "init", "--stateful", "my-smoother"])).code).toBe(0);
    const { code, out } = await executable.run(["model", "check", "./my-smoother.ts"]);
    expect(code).toBe(0);
    const settled = (line: string): string =>
      /^ok +(?:load|time) /.test(line) ? line.replaceAll(/[\d.e-]+/g, "#") : line;
    const printed = out.split("\n").map(settled);
    const shown = await capture("docs/models.md", "Model check");
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.map(settled).filter((line) => !printed.includes(line))).toEqual([]);
  });
});
