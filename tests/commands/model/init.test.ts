import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../src/commands/model/checks/check-model.ts";
import { modelDeclarations } from "../../../src/commands/model/declarations.ts";
import { initModel } from "../../../src/commands/model/init.ts";
import type { ModelKind } from "../../../src/commands/model/language.ts";
import { threadHost } from "../../../src/pool/thread-host.ts";
import { workerUrl } from "../../support/pool-harness.ts";
import { testWithPython } from "../../support/python-environment.ts";
import { otherPythons, python } from "../../support/python.ts";

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

function init(name: string, kind: ModelKind = "stateless", python = false): Promise<string> {
  return initModel({ name, kind, python, program: "./streamer", folder });
}

for (const [kind, words] of [
  ["stateless", "without state"],
  ["stateful", "with state"],
  ["pinned", "with pinned streams"],
] as const) {
  test(`the template of a model ${words} passes all checks without a note`, async () => {
    await init("my-model", kind);
    const findings: Finding[] = [];
    const model = join(folder, "my-model.ts");
    await checkModel(
      {
        model,
        settings: {},
        workers: 2,
        startHost: threadHost(workerUrl),
        inferenceTimeoutMs: 10_000,
        loadTimeoutMs: 10_000,
      },
      (finding) => findings.push(finding),
    );
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findings[0]?.text).toContain(`"my-model", 16000 Hz, ${words}`);
  });

  test(`a strict type checker accepts the model ${words} with the declarations next to it alone`, async () => {
    await init("my-model", kind);
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
  const printed = await init("echo2", "stateful");
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

describe("a model in Python", () => {
  test("gets a file with underscores, keeps its name, and says what to install and which commands follow", async () => {
    const printed = await init("my-model", "stateless", true);
    expect((await readdir(folder)).sort()).toEqual(["my_model.py", "streamer_model.pyi"]);
    expect(printed).toBe(`Created ./my_model.py, a working model to start from.
Created ./streamer_model.pyi, the types of the model interface.

It needs Python 3.9 or newer and NumPy. A folder .venv beside the model is used by itself:
  python3 -m venv .venv && .venv/bin/pip install numpy

Next steps:
  ./streamer model check ./my_model.py
  ./streamer serve --model ./my_model.py
and, while the server runs, in another terminal:
  ./streamer send -i RECORDING.wav
`);
    const text = await readFile(join(folder, "my_model.py"), "utf8");
    expect(text).toStartWith('"""A model for Streamer.');
    expect(text).toContain('\nname = "my-model"\n');
    expect(text).toContain("\n./streamer model check ./my_model.py\n");
  });

  test("is also created for a name that ends in .py, beside one in TypeScript", async () => {
    expect(await init("echo.py", "stateful")).toContain("/api/v1/stateful");
    await init("echo.ts");
    const names = ["echo.py", "echo.ts", "streamer-model.d.ts", "streamer_model.pyi"];
    expect((await readdir(folder)).sort()).toEqual(names);
    expect(await readFile(join(folder, "echo.py"), "utf8")).toContain("def step(");
  });

  test("is not overwritten, and neither are types that this command did not write", async () => {
    await init("my-model", "stateless", true);
    await expect(init("my_model", "stateful", true)).rejects.toThrow(
      "./my_model.py already exists and is not overwritten",
    );
    await writeFile(join(folder, "streamer_model.pyi"), "mine");
    await expect(init("other.py")).rejects.toThrow("./streamer_model.pyi was not created by this command");
    expect((await readdir(folder)).sort()).toEqual(["my_model.py", "streamer_model.pyi"]);
  });

  test.each(["numpy", "streamer-model", "a.b", "model.ts"])("is refused by the name %p", async (name) => {
    await expect(init(name, "stateless", true)).rejects.toMatchObject({ code: 2 });
    expect(await readdir(folder)).toEqual([]);
  });

  testWithPython("does not import its types when it runs, in every version of Python from 3.9 on", async () => {
    for (const [name, kind] of [
      ["one.py", "stateless"],
      ["two.py", "stateful"],
      ["three.py", "pinned"],
    ] as const) {
      await init(name, kind);
      await rm(join(folder, "streamer_model.pyi"));
    }
    // Stands in for NumPy, which need not be installed here.
    await writeFile(join(folder, "numpy.py"), "");
    const script =
      "import sys\nif sys.version_info >= (3, 9):\n  import one, two, three\n  print(one.name, two.Model.__name__, three.pinned)";
    const printed = new Set<string>();
    for (const path of new Set([python ?? "", ...otherPythons()])) {
      const child = Bun.spawn([path, "-B", "-c", script], { cwd: folder, stdout: "pipe", stderr: "pipe" });
      const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect({ path, err, code }).toEqual({ path, err: "", code: 0 });
      printed.add(out);
    }
    printed.delete("");
    expect([...printed]).toEqual(["one Model True\n"]);
  });
});
