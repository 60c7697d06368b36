import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..", "..");

/** Anchors of a document's headings, as code hosts make them. */
function anchors(markdown: string): Set<string> {
  const headings = markdown.replace(/```[\s\S]*?```/g, "").matchAll(/^#+ +(.+)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\p{Letter}\p{Number} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** Links of a document to the repository's own files that lead nowhere. */
async function brokenLinks(path: string): Promise<string[]> {
  const markdown = await Bun.file(path).text();
  const broken: string[] = [];
  for (const [, target = ""] of markdown.replace(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file = "", anchor] = target.split("#");
    const linked = file === "" ? path : join(dirname(path), file);
    const leads = existsSync(linked) && (anchor === undefined || anchors(await Bun.file(linked).text()).has(anchor));
    if (!leads) broken.push(`${relative(root, path)}: ${target}`);
  }
  return broken;
}

const NAMED = [
  /`((?:src|native|scripts|tests|docs|examples|deploy)\/[\w./-]*)`/g,
  // Sources are called by their place below `src/` too, also in diagrams.
  /(?<![\w./-])((?:commands|server|session|stream|dialects|client|pipeline|pool|worker|vad|model|audio|protocol|telemetry|native|lib|config)\/[\w-]+\.[a-z]+)/g,
];

/** Files of the repository that a document names and that are not there. */
async function missingFiles(path: string): Promise<string[]> {
  const markdown = await Bun.file(path).text();
  const named = NAMED.flatMap((pattern) => [...markdown.matchAll(pattern)].map(([, name = ""]) => name));
  return named
    .filter((name) => !existsSync(join(root, name)) && !existsSync(join(root, "src", name)))
    .map((name) => `${relative(root, path)}: ${name}`);
}

async function below(folder: string): Promise<string[]> {
  const paths = await readdir(join(root, folder), { recursive: true });
  return paths
    .filter((path) => path.endsWith(".md") && !path.includes("node_modules"))
    .map((path) => join(root, folder, path));
}

const documents = [
  join(root, "README.md"),
  join(root, "CHANGELOG.md"),
  ...(await below("docs")),
  ...(await below("examples")),
];

test("every link between the documents leads somewhere", async () => {
  expect((await Promise.all(documents.map(brokenLinks))).flat()).toEqual([]);
});

test("every file that a document names exists", async () => {
  expect((await Promise.all(documents.map(missingFiles))).flat()).toEqual([]);
});
