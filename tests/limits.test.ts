// Limits of the sources that no linter holds: the length of a file, the options of a constructor, circles of imports.

import { describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { constructorSizes } from "./support/constructors.ts";

const root = join(import.meta.dir, "..");

const MAX_LINES = 250;
const MAX_OPTIONS = 8;

const paths = (await readdir(join(root, "src"), { recursive: true }))
  .filter((path) => path.endsWith(".ts"))
  .map((path) => `src/${path}`)
  .sort();

async function readSource(path: string): Promise<string | undefined> {
  const file = Bun.file(join(root, path));
  return (await file.exists()) ? await file.text() : undefined;
}

test(`no source has more than ${MAX_LINES} lines`, async () => {
  const sizes = await Promise.all(
    paths.map(async (path) => ({ path, lines: ((await readSource(path)) ?? "").split("\n").length - 1 })),
  );
  expect(sizes.length).toBeGreaterThan(100);
  expect(sizes.filter(({ lines }) => lines > MAX_LINES)).toEqual([]);
});

test(`no constructor takes more than ${MAX_OPTIONS} options`, async () => {
  const sizes = (await Promise.all(paths.map((path) => constructorSizes(path, readSource)))).flat();
  expect(sizes.length).toBeGreaterThan(40);
  expect(sizes.filter(({ options }) => options > MAX_OPTIONS)).toEqual([]);
});

describe("the options of a constructor", () => {
  const files: Readonly<Record<string, string>> = {
    "src/a.ts": `
      import type { Far as Renamed } from "./lib/b.ts";
      import { Handle } from "./lib/b.ts";
      export interface Near { readonly a: number; b?(): void; readonly c: { d: 1; e: 2 } }
      interface Child extends Near, Readonly<Renamed> { own: string }
      type Alias = Readonly<Near>;
      class Positional { constructor(private readonly a: string, b = 1, ...c: number[]) {} }
      class NearOptions { constructor(options: Near) {} }
      class FarOptions { constructor({ x, y }: Renamed = { x: 1, y: 2 }) {} }
      class ChildOptions { constructor(readonly options: Child) {} }
      class AliasOptions { constructor(options: Alias & { f: () => void }) {} }
      class PickedOptions { constructor(options: Pick<Near, "a" | "b">) {} }
      class OmittedOptions { constructor(options: Omit<Child, "a">) {} }
      class OneHandle { constructor(handle: Handle) {} }
      class Two { constructor(handle: Handle, options: Child) {} }
      class Generic<T extends object> { constructor(value: T) {} }
      class None { constructor() { class Inner { constructor(a: 1, b: 2) {} } } }
      class Without {}
      export const made = () => class { constructor(options: Near) {} };
    `,
    "src/lib/b.ts": `export interface Far { x: number; y: number } export class Handle { constructor(options: unknown) {} }`,
  };

  test.each([
    ["parameters count one each", "Positional", 3],
    ["an interface of the same file counts its members", "NearOptions", 3],
    [
      "an imported interface counts its members, also under another name, destructured and with a default",
      "FarOptions",
      2,
    ],
    ["inherited members count", "ChildOptions", 6],
    ["the members of both sides of an intersection count, through an alias", "AliasOptions", 4],
    ["picked members count", "PickedOptions", 2],
    ["omitted members do not count", "OmittedOptions", 5],
    ["an object of a class counts as one", "OneHandle", 1],
    ["an interface beside another parameter counts as one", "Two", 2],
    ["a type parameter counts as one", "Generic", 1],
    ["an empty constructor has none", "None", 0],
    ["the constructor of an inner class is its own", "Inner", 2],
    ["the constructor of a class without a name is found", "class", 3],
  ])("%s", async (_, className, options) => {
    const sizes = await constructorSizes("src/a.ts", (path) => Promise.resolve(files[path]));
    expect(sizes.filter(({ name }) => name === `src/a.ts: ${className}`)).toEqual([
      { name: `src/a.ts: ${className}`, options },
    ]);
  });
});

test("lint reports a circle of imports, also when it consists of types", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer lint "));
  try {
    const source = (name: string, other: string): string =>
      `import type { ${other} } from "./${other}.ts";\nexport interface ${name} {\n  readonly other: ${other};\n}\n`;
    await Bun.write(join(folder, "First.ts"), source("First", "Second"));
    await Bun.write(join(folder, "Second.ts"), source("Second", "First"));
    await Bun.write(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { noEmit: true } }));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const oxlint = [process.execPath, "--bun", join("node_modules", ".bin", "oxlint")];
    const child = Bun.spawn([...oxlint, "-c", join(root, ".oxlintrc.json"), "First.ts", "Second.ts"], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, output] = await Promise.all([child.exited, child.stdout.text()]);
    expect(output).toContain("Dependency cycle detected");
    expect(output).toContain("2 errors");
    expect(code).toBe(1);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 300_000);
