import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../src/commands/model/checks/check-model.ts";
import { modelDeclarations } from "../../../src/commands/model/declarations.ts";
import { initModel } from "../../../src/commands/model/init.ts";
import { workerUrl } from "../../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

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

  test(`the template of a model ${kind} passes all checks without a note`, async () => {
    await init("my-model", stateful);
    const findings: Finding[] = [];
    const model = join(folder, "my-model.ts");
    await checkModel(
      { model, settings: {}, workers: 2, workerUrl, inferenceTimeoutMs: 10_000, loadTimeoutMs: 10_000 },
      (finding) => findings.push(finding),
    );
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findings[0]?.text).toContain(`"my-model", 16000 Hz, ${kind}`);
  });

  test(`a strict type checker accepts the model ${kind} with the declarations next to it alone`, async () => {
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

test("the declarations are the source of the interface", async () => {
  await init("m");
  const written = await readFile(join(folder, "streamer-model.d.ts"), "utf8");
  expect(written).toBe(modelDeclarations());
  const [, body = ""] = /^declare module "streamer\/model" \{\n([^]*)\n\}\n$/m.exec(written) ?? [];
  const source = await readFile(join(root, "src", "model", "model.ts"), "utf8");
  expect(body.replaceAll(/^ {2}/gm, "")).toBe(source.trim());
});

test("the interface is types only, so a model needs no package at run time", async () => {
  const source = await readFile(join(root, "src", "model", "model.ts"), "utf8");
  expect(new Bun.Transpiler({ loader: "ts" }).transformSync(source).trim()).toBe("");
});

test("the next commands are printed, and the model has its name", async () => {
  const printed = await init("echo2", true);
  for (const line of ["./streamer model check ./echo2.ts", "./streamer serve --model ./echo2.ts", "/api/v1/stateful"]) {
    expect(printed).toContain(line);
  }
  const text = await readFile(join(folder, "echo2.ts"), "utf8");
  expect(text).toContain('name: "echo2"');
  expect(text).toContain("//   ./streamer model check ./echo2.ts");
});

test("an existing file is not overwritten, except for declarations of this command", async () => {
  await init("a");
  await init("b.ts");
  expect((await readdir(folder)).sort()).toEqual(["a.ts", "b.ts", "streamer-model.d.ts"]);
  await expect(init("a")).rejects.toThrow("./a.ts already exists and is not overwritten");
  await writeFile(join(folder, "streamer-model.d.ts"), "mine");
  await expect(init("c")).rejects.toThrow("./streamer-model.d.ts was not created by this command");
  expect((await readdir(folder)).sort()).toEqual(["a.ts", "b.ts", "streamer-model.d.ts"]);
});

test.each(["no/such/folder", "two words", ".hidden", "a.b"])("%p is refused", async (name) => {
  await expect(init(name)).rejects.toMatchObject({ code: 2 });
  expect(await readdir(folder)).toEqual([]);
});
