import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

import { type Document, readDocuments, root, withoutFences } from "../support/documents.ts";

/** Anchors of the headings of a document, as code hosts generate them. */
function anchors(markdown: string): Set<string> {
  const headings = withoutFences(markdown).matchAll(/^#+ +(.+)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Links to files of the repository whose file or heading does not exist. */
async function brokenLinks({ path, text }: Document): Promise<string[]> {
  const broken: string[] = [];
  for (const [, target = ""] of withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", anchor] = target.split("#");
    const linked = join(root, file === "" ? path : join(dirname(path), file));
    const exists = existsSync(linked) && (anchor === undefined || anchors(await Bun.file(linked).text()).has(anchor));
    if (!exists) broken.push(`${path}: ${target}`);
  }
  return broken;
}

const NAMED = [
  /`((?:src|native|scripts|tests|docs|examples|deploy)\/[\w./-]*)`/g,
  // Paths relative to `src/`, in prose and in diagrams; not the target of a link, which the first test follows.
  /(?<![\w./(-])((?:commands|console|server|session|stream|dialects|client|pipeline|pool|worker|vad|model|audio|protocol|telemetry|native|lib|config)\/[\w-]+\.[a-z]+)/g,
];

/** Files that a recipe creates, in its example. */
const NEW_FILE = /`[\w./-]+` \(new\)/g;

/** Files of the repository that a document names but that do not exist. */
function missingFiles({ path, text: full }: Document): string[] {
  const text = full.replaceAll(NEW_FILE, "");
  const named = NAMED.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = ""]) => name));
  return named
    .filter((name) => !existsSync(join(root, name)) && !existsSync(join(root, "src", name)))
    .map((name) => `${path}: ${name}`);
}

const documents = await readDocuments();

test("every link between documents has a target", async () => {
  expect((await Promise.all(documents.map(brokenLinks))).flat()).toEqual([]);
});

test("every file that a document names exists", () => {
  expect(documents.flatMap(missingFiles)).toEqual([]);
});
