import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";

const root = join(import.meta.dir, "..");

/** What stands in `src/`, from the top down. A place may import from rows below its own, and from itself. */
const LAYERS: readonly (readonly string[])[] = [
  ["main.ts", "worker.ts"],
  ["commands", "console"],
  ["server", "client"],
  ["session"],
  ["stream", "dialects"],
  ["config"],
  ["pipeline", "pool"],
  ["vad", "worker", "capacity", "auth"],
  ["telemetry"],
  ["audio", "model"],
  ["protocol", "native"],
  ["lib"],
];

/** The only files outside of `src/` that sources may import, and who may. */
const OUTSIDE: Readonly<Record<string, string>> = {
  "native/build/libstreamer_audio.so": "src/native/library.ts",
  ...Object.fromEntries(
    ["icon.txt", "page.txt", "recorder.txt", "sample.wav", "script.txt", "style.txt"].map((name) => [
      `native/build/console/${name}`,
      "src/server/console.ts",
    ]),
  ),
  "package.json": "",
};

/** The first name below `src/`: `main.ts` for src/main.ts, `config` for src/config/settings.ts. */
function placeOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function rowOf(place: string): number {
  return LAYERS.findIndex((row) => row.includes(place));
}

/** Relative specifiers of static, type-only, re-exporting, side-effect and dynamic imports. */
function importsOf(source: string): string[] {
  const pattern = /\b(?:from|import)\s*\(?\s*["'`](\.[^"'`]+)["'`]/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? "");
}

/** One line for each import of `path` (relative to the root) that does not point down. */
function violations(path: string, source: string): string[] {
  const place = placeOf(path);
  const row = rowOf(place);
  if (row === -1) return [`${path}: the layers do not name ${place}`];
  return importsOf(source).flatMap((specifier) => {
    const target = normalize(join(dirname(path), specifier));
    if (!target.startsWith("src/")) {
      const importer = OUTSIDE[target];
      return importer === "" || importer === path ? [] : [`${path} imports ${target}, which is outside of src/`];
    }
    const targetPlace = placeOf(target);
    const targetRow = rowOf(targetPlace);
    if (targetRow === -1) return [`${path} imports ${target}: the layers do not name ${targetPlace}`];
    return targetPlace === place || targetRow > row ? [] : [`${path} imports ${target}, which is not below it`];
  });
}

test("imports in src/ only point down the layers", async () => {
  const paths = (await readdir(join(root, "src"), { recursive: true })).filter((path) => path.endsWith(".ts"));
  const found = await Promise.all(
    paths.map(async (path) => violations(`src/${path}`, await Bun.file(join(root, "src", path)).text())),
  );
  expect(paths.length).toBeGreaterThan(10);
  expect(found.flat()).toEqual([]);
});

test("docs/architecture.md has the same layers", async () => {
  const page = await Bun.file(join(root, "docs", "architecture.md")).text();
  const [, table = ""] = /^\| Layer .*\n.*\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const rows = table.trimEnd().split("\n");
  expect(rows.map((row) => [...(row.split("|")[1] ?? "").matchAll(/`([\w.]+)`/g)].map(([, name]) => name))).toEqual(
    LAYERS.map((row) => [...row]),
  );
});

describe("the layer check", () => {
  test.each([
    ["a static import", `import { Session } from "../server/session.ts";`],
    ["a type-only import", `import type { Session } from "../server/session.ts";`],
    ["an import over several lines", `import {\n  Session,\n} from\n  "../server/session.ts";`],
    ["a re-export", `export * from '../server/session.ts';`],
    ["an import for its side effect", `import "../server/session.ts";`],
    ["a dynamic import", `const session = await import("../server/session.ts");`],
    ["the type of a module", `let session: import("../server/session.ts").Session;`],
  ])("catches %s that points up", (_, source) => {
    expect(violations("src/audio/store.ts", source)).toEqual([
      "src/audio/store.ts imports src/server/session.ts, which is not below it",
    ]);
  });

  test("catches an import between two folders of one row", () => {
    expect(violations("src/client/client.ts", `import { app } from "../server/app.ts";`)).toHaveLength(1);
  });

  test("catches an import of what is not a source", () => {
    expect(violations("src/audio/store.ts", `import { build } from "../../scripts/build.ts";`)).toHaveLength(1);
    expect(violations("src/audio/store.ts", `import a from "../../native/build/libstreamer_audio.so";`)).toHaveLength(
      1,
    );
  });

  test("catches a folder that has no layer", () => {
    expect(violations("src/utils/text.ts", "")).toEqual(["src/utils/text.ts: the layers do not name utils"]);
    expect(violations("src/audio/store.ts", `import { a } from "../utils/text.ts";`)).toHaveLength(1);
  });

  test("lets pass what points down or stays in its folder", () => {
    const source = `import { Arena } from "./arena.ts"; import type { A } from "../protocol/format.ts"; import "../lib/ring.ts";`;
    expect(violations("src/audio/store.ts", source)).toEqual([]);
  });
});
