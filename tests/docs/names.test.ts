import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { MODEL_SETTINGS, SETTINGS } from "../../src/config/config.ts";
import { builtInModels, describeModelSettings } from "../../src/model/models.ts";
import { allMetricNames, baseName } from "../support/deploy/names.ts";
import { filesBelow, readDocuments, root } from "../support/documents.ts";

const documents = await readDocuments();
const manifest: { scripts: Record<string, string> } = await Bun.file(join(root, "package.json")).json();

/** Settings that model files declare: the names before `: { default:` in examples, templates and documents. */
async function describedInFiles(): Promise<string[]> {
  const files = [
    ...(await filesBelow("examples", "model.ts")),
    ...(await filesBelow("examples", "model.py")),
    ...(await filesBelow("src/commands/model/templates", ".ts")),
    ...(await filesBelow("src/commands/model/templates", ".py")),
    ...documents.map(({ path }) => path),
  ];
  const texts = await Promise.all(files.map((file) => Bun.file(join(root, file)).text()));
  return texts.flatMap((text) => [...text.matchAll(/(\w+)"?: \{ ?"?default"?:/g)].map(([, name = ""]) => name));
}

const modelKeys = new Set([
  ...Object.keys(MODEL_SETTINGS),
  // Variables, which have no table.
  "env",
  ...builtInModels.flatMap((name) => Object.keys(describeModelSettings(name))),
  ...(await describedInFiles()),
]);

function isKey(section: string, key: string): boolean {
  if (section === "model") return modelKeys.has(key);
  if (Object.hasOwn(SETTINGS, `${section}.${key}`)) return true;
  return Object.hasOwn(SETTINGS[section as keyof typeof SETTINGS] ?? {}, key);
}

/** Sections within a section come first, since a pattern takes the first that fits. */
const SECTIONS = ["model", ...Object.keys(SETTINGS).toSorted((a, b) => b.length - a.length)].join("|");

/**
 * A configuration key such as `limits.arena_mb`; not a file (`model.ts`, `server/x.ts`), a service of gRPC
 * (`grpc.health.v1.Health`), a call of its library (`grpc.credentials.createInsecure`) or a part of a longer name.
 */
const KEY = new RegExp(`(?<![\\w./-])(${SECTIONS})\\.([a-z][a-z_]*)(?![\\w(]|\\.v\\d|\\.create)`, "g");
const VARIABLE = new RegExp(`\\bSTREAMER__(${SECTIONS.toUpperCase().replaceAll(".", "__")})__([A-Z_]+)`, "g");
const ENDINGS = new Set(["c", "h", "js", "json", "log", "md", "mjs", "py", "svg", "test", "ts", "txt"]);

/**
 * Configuration keys in a text that do not exist. JSON fences are excluded: they show the protocol, which has its own
 * test.
 */
function unknownKeys(text: string): string[] {
  const keys = [...text.replace(/```json[\s\S]*?```/g, "").matchAll(KEY)].filter(([, , key = ""]) => !ENDINGS.has(key));
  const variables = [...text.matchAll(VARIABLE)].filter(([, , key]) => key !== "NAME");
  return [...keys, ...variables]
    .filter(([, section = "", key = ""]) => !isKey(section.toLowerCase().replace("__", "."), key.toLowerCase()))
    .map(([name]) => name);
}

/** Metrics in a text that do not exist, without names of files, C functions, the client for Python, and its programs. */
function unknownMetrics(text: string): string[] {
  const known = new Set(allMetricNames().flatMap((name) => [name, baseName(name)]));
  const named = text
    .replace(/```python[\s\S]*?```/g, "")
    .matchAll(/(?<![\w/.-])streamer_(?!client\b)[a-z_]+(?![\w./-])/g);
  return [...named].map(([name]) => name).filter((name) => !known.has(name));
}

/** Package scripts in a text, such as `bun run check`, that do not exist. */
function unknownScripts(text: string): string[] {
  const named = [...text.matchAll(/\b(?:bun|npm) run ([\w:]+)/g)].map(([, name = ""]) => name);
  return named.filter((name) => !Object.hasOwn(manifest.scripts, name));
}

/** Benchmarks in a text, such as `bun run bench streams`, that do not exist. */
function unknownBenchmarks(text: string): string[] {
  const named = [...text.matchAll(/\brun bench ([a-z]+)/g)].map(([, name = ""]) => name);
  return named.filter((name) => !existsSync(join(root, "scripts", "bench", `${name}.ts`)));
}

/** Without the recipes, which add keys and metrics. */
const descriptions = documents.filter(({ path }) => path !== "docs/recipes.md");

test.each(descriptions)("every configuration key in $path exists", ({ text }) => {
  expect(unknownKeys(text)).toEqual([]);
});

test.each(documents)("every package script and benchmark in $path exists", ({ text }) => {
  expect([...unknownScripts(text), ...unknownBenchmarks(text)]).toEqual([]);
});

test.each(descriptions)("every metric in $path exists", ({ text }) => {
  expect(unknownMetrics(text)).toEqual([]);
});

test("docs/models.md describes every built-in model", () => {
  const page = documents.find(({ path }) => path === "docs/models.md")?.text ?? "";
  const titles = [...page.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
  expect(titles).toEqual(expect.arrayContaining([...builtInModels]));
});

test("docs/operations.md lists exactly the events of the log", async () => {
  const page = documents.find(({ path }) => path === "docs/operations.md")?.text ?? "";
  const [, table = ""] = /^\| Event .*\n\|[ |-]+\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const listed = table.split("\n").flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z]+(?:_[a-z]+)*)`/g)]);
  const sources = await Promise.all((await filesBelow("src", ".ts")).map((path) => Bun.file(join(root, path)).text()));
  const logged = sources.flatMap((text) => [...text.matchAll(/[lL]og\??\.(?:debug|info|warn|error)\(\s*"(\w+)"/g)]);
  const names = (matches: RegExpMatchArray[]) => new Set(matches.map(([, name = ""]) => name));
  expect(names(logged).size).toBeGreaterThan(15);
  expect([...names(listed)].sort()).toEqual([...names(logged)].sort());
});

test("unknown names are found; files and longer names are not taken for keys", () => {
  expect(unknownScripts("`bun run chekc`, `npm run demo`, `bun run bench NAME`")).toEqual(["chekc"]);
  expect(
    unknownBenchmarks("`bun run bench streems`, `bun run bench streams --rounds 3`, `bun run bench NAME`"),
  ).toEqual(["streems"]);
  const text = "`limits.arena_gb` --set model.dealy=1 STREAMER__SERVER__PROT=1 `vad.treshold_db`, simple.block_ms";
  expect(unknownKeys(text)).toEqual(["limits.arena_gb", "model.dealy", "vad.treshold_db", "STREAMER__SERVER__PROT"]);
  expect(
    unknownKeys("src/vad/detector.ts, ./model.ts, model.js, model.NAME, server/websocket.ts, server.stop()"),
  ).toEqual([]);
  expect(
    unknownMetrics("`streamer_session_active`, `streamer_sessions_active`, native/streamer_audio.h, streamer_client"),
  ).toEqual(["streamer_session_active"]);
});
