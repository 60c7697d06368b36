import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { MODEL_SETTINGS, SETTINGS } from "../../src/config/config.ts";
import { builtInModels, describeModelSettings } from "../../src/model/models.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { baseName, metricNames } from "../support/deploy/names.ts";

const root = join(import.meta.dir, "..", "..");

async function below(folder: string, ending: string): Promise<string[]> {
  const paths = await readdir(join(root, folder), { recursive: true });
  return paths
    .filter((path) => path.endsWith(ending) && !path.includes("node_modules"))
    .map((path) => `${folder}/${path}`);
}

const documents = ["README.md", "CHANGELOG.md", ...(await below("docs", ".md")), ...(await below("examples", ".md"))];
const pages = await Promise.all(
  documents.map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })),
);

/** Settings of models that are files: what stands before `: { default:` in examples and templates. */
async function describedInFiles(): Promise<string[]> {
  const files = [...(await below("examples", "model.ts")), ...(await below("src/commands/model/templates", ".ts"))];
  const texts = await Promise.all(files.map((file) => Bun.file(join(root, file)).text()));
  return texts.flatMap((text) => [...text.matchAll(/(\w+): \{ default:/g)].map(([, name = ""]) => name));
}

const modelKeys = new Set([
  ...Object.keys(MODEL_SETTINGS),
  ...builtInModels.flatMap((name) => Object.keys(describeModelSettings(name))),
  ...(await describedInFiles()),
]);

function isKey(section: string, key: string): boolean {
  if (section === "model") return modelKeys.has(key);
  return Object.hasOwn(SETTINGS[section as keyof typeof SETTINGS] ?? {}, key);
}

const SECTIONS = ["model", ...Object.keys(SETTINGS)].join("|");

/** `limits.arena_mb`, but neither a file (`model.ts`, `server/x.ts`) nor part of a longer name. */
const KEY = new RegExp(`(?<![\\w./-])(${SECTIONS})\\.([a-z][a-z_]*)(?![\\w(])`, "g");
const VARIABLE = new RegExp(`\\bSTREAMER__(${SECTIONS.toUpperCase()})__([A-Z_]+)`, "g");
const ENDINGS = new Set(["c", "h", "js", "json", "md", "ts"]);

/** Keys of the configuration that a text names and that there are not. JSON is the wire's, which has a test of its own. */
function unknownKeys(text: string): string[] {
  const keys = [...text.replace(/```json[\s\S]*?```/g, "").matchAll(KEY)].filter(([, , key = ""]) => !ENDINGS.has(key));
  const variables = [...text.matchAll(VARIABLE)].filter(([, , key]) => key !== "NAME");
  return [...keys, ...variables]
    .filter(([, section = "", key = ""]) => !isKey(section.toLowerCase(), key.toLowerCase()))
    .map(([name]) => name);
}

/** Metrics that a text names and that there are not: series of Streamer's own, but not files and C names. */
function unknownMetrics(text: string): string[] {
  const known = new Set(metricNames(new ServerMetrics().registry).flatMap((name) => [name, baseName(name)]));
  const named = text.matchAll(/(?<![\w/.-])streamer_[a-z_]+(?![\w./-])/g);
  return [...named].map(([name]) => name).filter((name) => !known.has(name));
}

test.each(pages)("every key of the configuration that $path names exists", ({ text }) => {
  expect(unknownKeys(text)).toEqual([]);
});

test.each(pages)("every metric that $path names exists", ({ text }) => {
  expect(unknownMetrics(text)).toEqual([]);
});

test("names that do not exist are found, and what only looks like one is not", () => {
  const text = "`limits.arena_gb` --set model.dealy=1 STREAMER__SERVER__PROT=1 `vad.treshold_db`, simple.block_ms";
  expect(unknownKeys(text)).toEqual(["limits.arena_gb", "model.dealy", "vad.treshold_db", "STREAMER__SERVER__PROT"]);
  expect(
    unknownKeys("src/vad/detector.ts, ./model.ts, model.js, model.NAME, server/websocket.ts, server.stop()"),
  ).toEqual([]);
  expect(unknownMetrics("`streamer_session_active`, `streamer_sessions_active`, native/streamer_audio.h")).toEqual([
    "streamer_session_active",
  ]);
});
