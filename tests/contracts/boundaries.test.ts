import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { BOUNDARIES, INSIDE, LEFT_OUT, NOT_REACHED, SEAMS } from "../support/faults/boundaries.ts";

const src = join(import.meta.dir, "..", "..", "src");
/** The folders whose code runs while a stream is open. */
const FOLDERS = [
  "audio",
  "auth",
  "capacity",
  "dialects",
  "native",
  "pipeline",
  "pool",
  "server",
  "session",
  "stream",
  "telemetry",
  "vad",
  "worker",
];

const known = new Set([
  ...Object.values(BOUNDARIES).flatMap((all) => all.map(({ name }) => name)),
  ...Object.values(INSIDE).flat(),
]);

async function classesIn(folder: string): Promise<string[]> {
  const files = (await readdir(join(src, folder), { recursive: true })).filter((file) => file.endsWith(".ts"));
  const texts = await Promise.all(files.map((file) => Bun.file(join(src, folder, file)).text()));
  return texts.flatMap((text) => [...text.matchAll(/^(?:export )?class (\w+)/gm)].map(([, name = ""]) => name));
}

test("every class that runs while a stream is open is at a boundary where faults are tried, or inside of one", async () => {
  const found = (await Promise.all(FOLDERS.map(classesIn))).flat();
  expect(found.length).toBeGreaterThan(100);
  expect(found.filter((name) => !known.has(name))).toEqual([]);
});

test("every class in the table of boundaries exists, once", async () => {
  const found = new Set((await Promise.all(FOLDERS.map(classesIn))).flat());
  expect([...known].filter((name) => !found.has(name))).toEqual([]);
  const all = [
    ...Object.values(BOUNDARIES).flatMap((each) => each.map(({ name }) => name)),
    ...Object.values(INSIDE).flat(),
  ];
  expect(all.length).toBe(known.size);
});

test("every method that is left out of the faults, or that no client reaches, exists, and is named once", () => {
  const names = new Set(SEAMS.map(({ name }) => name));
  expect(names.size).toBe(SEAMS.length);
  const listed = [...Object.values(LEFT_OUT), ...Object.values(NOT_REACHED)].flat();
  expect(listed.filter((name) => !names.has(name))).toEqual([]);
  expect(new Set(listed).size).toBe(listed.length);
});
