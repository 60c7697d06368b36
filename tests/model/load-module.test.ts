import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadModule } from "../../src/model/load-module.ts";
import { modelPath } from "../support/pool-harness.ts";

test("a model file is loaded by its path, also relative to the working folder", async () => {
  for (const path of [modelPath("puppet"), "./tests/support/models/puppet.ts"]) {
    expect((await loadModule(path)).name).toBe("puppet");
  }
});

test("a name that no built-in model has is refused", async () => {
  await expect(loadModule("no-such")).rejects.toThrow('unknown model "no-such"; built in: simulated, levels, denoise');
});

test("a file that exports no module is refused with every problem", async () => {
  await expect(loadModule(modelPath("nothing"))).rejects.toThrow("the file has no default export");
  await expect(loadModule(modelPath("wrong"))).rejects.toThrow(
    "load: found 5; allowed: a function; maxBatch: found 0; allowed: an integer from 1 to 1024",
  );
  await expect(loadModule("./no/such/file.ts")).rejects.toThrow(/[Cc]annot find module/);
});

test("a name that is too long for a request and a metrics label, or cannot be read there, is refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-name-"));
  try {
    const load = async (name: string): Promise<string> => {
      const path = join(folder, `${crypto.randomUUID()}.ts`);
      await Bun.write(path, `export default { name: ${JSON.stringify(name)}, load() {} };`);
      return (await loadModule(path)).name;
    };
    for (const name of ["org/model-v2.1: large", "é".repeat(64)]) expect(await load(name)).toBe(name);
    for (const name of ["a".repeat(65), "two\nlines", "\u202eright to left", " left", "right ", "\ud800"]) {
      await expect(load(name)).rejects.toThrow(
        "allowed: at most 64 characters, no control characters, no spaces at its ends",
      );
    }
    for (const name of ["", "  "]) await expect(load(name)).rejects.toThrow("allowed: a string that is not blank");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("options of a module are an array of different names, and everything else is refused with its value", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-options-"));
  try {
    const load = async (options: unknown): Promise<unknown> => {
      const path = join(folder, `${crypto.randomUUID()}.ts`);
      await Bun.write(path, `export default { name: "a", options: ${JSON.stringify(options)}, load() {} };`);
      return (await loadModule(path)).options;
    };
    for (const options of [[], ["language"], ["language", "prompt"]]) expect(await load(options)).toEqual(options);
    const tooMany = Array.from({ length: 65 }, (_, i) => `${i}`);
    for (const options of ["language", {}, [""], [1], ["a", "a"], tooMany]) {
      await expect(load(options)).rejects.toThrow("allowed: an array of at most 64 different names that are not empty");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("the message of a model file that cannot be loaded has the place of", () => {
  const places: readonly [what: string, files: Readonly<Record<string, string>>, message: string][] = [
    [
      "a syntax error",
      { "a.ts": "const fine = 1;\nconst broken = ;\n" },
      "it cannot be parsed: Unexpected ; (DIR/a.ts:2:16)",
    ],
    [
      "each of several syntax errors",
      { "a.ts": "let a = 1;\nlet a = 2;\n\nlet a = 3;\n" },
      'it has 2 errors:\n  "a" has already been declared (DIR/a.ts:2:5)\n' +
        '  "a" has already been declared (DIR/a.ts:4:5)',
    ],
    [
      "ten of many syntax errors",
      { "a.ts": "let a;\n".repeat(13) },
      "it has 12 errors:" +
        Array.from({ length: 10 }, (_, i) => `\n  "a" has already been declared (DIR/a.ts:${i + 2}:5)`).join("") +
        "\n  and 2 more",
    ],
    [
      "a syntax error in a file that it imports",
      { "a.ts": 'import { b } from "./b.ts";\nexport default b;\n', "b.ts": "export const b = = 1;\n" },
      "it cannot be parsed: Unexpected = (DIR/b.ts:1:18)",
    ],
    [
      "an error thrown at the top level, after types that the parser removes",
      { "a.ts": 'interface Removed {\n  a: number;\n}\n\nthrow new Error("no luck");\n' },
      "its import throws an error: no luck (DIR/a.ts:5:11)",
    ],
    [
      "an error thrown by a function of another file",
      {
        "a.ts": 'import { b } from "./b.ts";\nb();\n',
        "b.ts": 'export function b(): void {\n  throw new RangeError("deep");\n}\n',
      },
      "its import throws an error: deep (DIR/b.ts:2:13)",
    ],
    [
      "a thrown value that is no error",
      { "a.ts": 'import { b } from "./b.ts";\nb;\n', "b.ts": 'export const b = 1;\nthrow { message: "no luck" };\n' },
      "its import throws no luck (DIR/b.ts:2:1)",
    ],
    [
      "a thrown value whose throw is not found",
      { "a.ts": "await Promise.reject(null);\n" },
      "its import throws null (DIR/a.ts)",
    ],
    [
      "a JSON file that it imports and cannot be parsed",
      { "a.ts": 'import b from "./b.json";\nexport default b;\n', "b.json": '{"a":}' },
      "its import throws an error: JSON Parse error: Unexpected token '}' (DIR/b.json)",
    ],
    [
      "the import of a missing file",
      { "a.ts": '\nimport b from "./gone.ts";\nexport default b;\n' },
      "Cannot find module './gone.ts' imported from DIR/a.ts (DIR/a.ts:2:15)",
    ],
    [
      "the import of a missing package",
      { "a.ts": '\nimport b from "not-there/deep";\nexport default b;\n' },
      "(`npm install not-there` in its folder installs it) (DIR/a.ts:2:15)",
    ],
    [
      "the import of a name that a file does not export",
      {
        "a.ts": 'import { b } from "./b.ts";\nexport default b;\n',
        "b.ts": '// comment\nimport { typo } from "./c.ts";\nexport const b = typo;\n',
        "c.ts": "export const type = 1;\n",
      },
      "Export named 'typo' not found in module 'DIR/c.ts'. (DIR/b.ts:2:22)",
    ],
    [
      "the import of a default that a file does not export",
      { "a.ts": 'import b from "./b.ts";\nexport default b;\n', "b.ts": "export const b = 1;\n" },
      " (DIR/a.ts:1:15)",
    ],
    [
      "a default export with wrong fields",
      { "a.ts": "const model = { name: 5, load() {} };\n\nexport default model;\n" },
      "the default export is not a ModelModule: name: found 5; allowed: a string that is not blank (DIR/a.ts:3:1)",
    ],
    ["a file without a default export", { "a.ts": "export const b = 1;\n" }, "a ModelModule (DIR/a.ts)"],
  ];

  for (const [what, files, message] of places) {
    test(what, async () => {
      const folder = await mkdtemp(join(tmpdir(), "streamer-place-"));
      try {
        for (const [name, text] of Object.entries(files)) await Bun.write(join(folder, name), text);
        const failure = await loadModule(join(folder, "a.ts")).then(String, (error: Error) => error.message);
        expect(failure.replaceAll(folder, "DIR")).toEndWith(message);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
