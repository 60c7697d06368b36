import { expect, test } from "bun:test";
import { join } from "node:path";

import { MODEL_SETTINGS, SETTINGS } from "../../src/config/config.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import { EVENTS } from "../../src/protocol/events.ts";
import { REQUESTS } from "../../src/protocol/requests.ts";
import { allMetricNames } from "../support/deploy/names.ts";
import { readDocuments, root } from "../support/documents.ts";

interface Entry {
  readonly term: string;
  readonly definition: string;
}

/** The entries of a section, in the order of the page. */
function entriesOf(section: string): Entry[] {
  const items = section.matchAll(/^- \*\*(.+?)\*\*: ([\s\S]*?)(?=^- |$(?![\s\S]))/gm);
  return [...items].map(([, term = "", definition = ""]) => ({
    term,
    definition: definition.replace(/\s+/g, " ").trim(),
  }));
}

const documents = await readDocuments();
const glossary = documents.find(({ path }) => path === "docs/glossary.md")?.text ?? "";
const sections = glossary
  .split(/^## .+$/m)
  .slice(1)
  .map(entriesOf);
const entries = sections.flat();

/** A word as it is compared: in lower case, without the end of a plural. */
function bare(word: string): string {
  return word.toLowerCase().replace(/s$/, "");
}

/** Words of the page. Names with underscores count with their parts. */
const words = new Set(
  entries.flatMap(({ term, definition }) => `${term} ${definition}`.match(/[A-Za-z]+/g) ?? []).map(bare),
);

/** What the glossary has no word for. */
function missing(names: Iterable<string>): string[] {
  return [...new Set(names)].filter((name) => !words.has(bare(name)));
}

test("each term stands once, in the order of the alphabet of its section", () => {
  expect(entries.length).toBeGreaterThan(100);
  const terms = entries.map(({ term }) => term.toLowerCase());
  expect(terms.filter((term, index) => terms.indexOf(term) !== index)).toEqual([]);
  for (const section of sections) {
    const own = section.map(({ term }) => term.toLowerCase());
    expect(own).toEqual(own.toSorted());
  }
});

test("each definition is a sentence or several", () => {
  expect(entries.filter(({ definition }) => !/^\S.*\.$/.test(definition)).map(({ term }) => term)).toEqual([]);
});

test("requests, events and patterns are in it", () => {
  const names = [...Object.keys(REQUESTS), ...Object.keys(EVENTS), ...Object.keys(PATTERNS)];
  expect(names.length).toBeGreaterThan(14);
  expect(missing(names.flatMap((name) => name.split("_")))).toEqual([]);
});

test("groups of settings are in it", () => {
  const groups = [...Object.keys(SETTINGS), "model"].flatMap((group) => group.split("."));
  expect(Object.keys(MODEL_SETTINGS).length).toBeGreaterThan(0);
  expect(groups.length).toBeGreaterThan(10);
  expect(missing(groups)).toEqual([]);
});

test("what metrics are about is in it: the first word of each name", () => {
  const own = allMetricNames().filter((name) => name.startsWith("streamer_"));
  expect(own.length).toBeGreaterThan(80);
  expect(missing(own.map((name) => name.split("_")[1] ?? ""))).toEqual([]);
});

test("each term is used on another page", () => {
  const others = documents
    .filter(({ path }) => path !== "docs/glossary.md")
    .map(({ text }) => text.toLowerCase())
    .join("\n")
    .replace(/\s+/g, " ");
  const unused = entries.filter(({ term }) => {
    const [name = ""] = term.split(" (");
    return name.split(", ").some((part) => !others.includes(part.toLowerCase()));
  });
  expect(unused.map(({ term }) => term)).toEqual([]);
});

test("each term is in the chapter that its entry names", async () => {
  const absent: string[] = [];
  for (const { term, definition } of entries) {
    const [, file] = /\]\((guide\/[\w-]+\.md)\)/.exec(definition) ?? [];
    if (file === undefined) continue;
    const text = (await Bun.file(join(root, "docs", file)).text()).toLowerCase().replace(/\s+/g, " ");
    const names = (term.split(" (")[0] ?? "").split(", ");
    if (!names.every((name) => text.includes(name.toLowerCase()))) absent.push(`${term}: ${file}`);
  }
  expect(absent).toEqual([]);
});
