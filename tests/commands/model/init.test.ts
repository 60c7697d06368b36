import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../src/commands/model/checks/check-model.ts";
import { initModel } from "../../../src/commands/model/init.ts";
import { modelTypes } from "../../../src/commands/model/types.ts";
import { workerUrl } from "../../support/pool-harness.ts";

const root = join(import.meta.dir, "..", "..", "..");

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-init-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function init(name: string, stateful = false): Promise<string> {
  return initModel({ name, stateful, program: "./streamer", folder });
}

for (const stateful of [false, true]) {
  const kind = stateful ? "with state" : "without state";

  test(`a model ${kind} is written that passes the check with nothing to note`, async () => {
    await init("my-model", stateful);
    const findings: Finding[] = [];
    const model = join(folder, "my-model.ts");
    await checkModel(
      { model, settings: {}, workers: 2, workerUrl, inferenceTimeoutMs: 10_000, loadTimeoutMs: 10_000 },
      (finding) => findings.push(finding),
    );
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findings[0]?.words).toContain(`"my-model", 16000 Hz, ${kind}`);
  });

  test(`a strict type checker accepts the model ${kind} with nothing but the types beside it`, async () => {
    await init("my-model", stateful);
    const flags = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
    const target = ["--target", "esnext", "--module", "preserve", "--noImplicitOverride", "--ignoreConfig"];
    const child = Bun.spawn([join(root, "node_modules", ".bin", "tsc"), ...flags, ...target, "my-model.ts"], {
      cwd: folder,
      stdout: "pipe",
      stderr: "pipe",
    });
    expect([await child.stdout.text(), await child.exited]).toEqual(["", 0]);
  });
}

test("the types are the interface's very source", async () => {
  await init("m");
  const written = await readFile(join(folder, "streamer-model.d.ts"), "utf8");
  expect(written).toBe(modelTypes());
  const [, body = ""] = /^declare module "streamer\/model" \{\n([^]*)\n\}\n$/m.exec(written) ?? [];
  const source = await readFile(join(root, "src", "model", "model.ts"), "utf8");
  expect(body.replaceAll(/^ {2}/gm, "")).toBe(source.trim());
});

test("the interface is types only, so that nothing of this program needs to be installed to run a model", async () => {
  const source = await readFile(join(root, "src", "model", "model.ts"), "utf8");
  expect(new Bun.Transpiler({ loader: "ts" }).transformSync(source).trim()).toBe("");
});

test("it says what to type next, and the model has its name", async () => {
  const said = await init("echo2", true);
  for (const line of ["./streamer model check ./echo2.ts", "./streamer serve --model ./echo2.ts", "/api/v1/stateful"]) {
    expect(said).toContain(line);
  }
  const text = await readFile(join(folder, "echo2.ts"), "utf8");
  expect(text).toContain('name: "echo2"');
  expect(text).toContain("//   ./streamer model check ./echo2.ts");
});

test("a file that is there is left alone, whosever it is", async () => {
  await init("a");
  await init("b.ts");
  expect((await readdir(folder)).sort()).toEqual(["a.ts", "b.ts", "streamer-model.d.ts"]);
  await expect(init("a")).rejects.toThrow("./a.ts is already there; it is left alone");
  await writeFile(join(folder, "streamer-model.d.ts"), "mine");
  await expect(init("c")).rejects.toThrow("./streamer-model.d.ts is not written by this command");
  expect((await readdir(folder)).sort()).toEqual(["a.ts", "b.ts", "streamer-model.d.ts"]);
});

test.each(["no/such/folder", "two words", ".hidden", "a.b"])("%p is refused", async (name) => {
  await expect(init(name)).rejects.toMatchObject({ code: 2 });
  expect(await readdir(folder)).toEqual([]);
});
