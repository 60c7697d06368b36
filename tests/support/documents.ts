import { readdir } from "node:fs/promises";
import { join } from "node:path";

export const root = join(import.meta.dir, "..", "..");

const AT_THE_ROOT = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"];

/** A Markdown file of the repository; `path` is relative to the root. */
export interface Document {
  readonly path: string;
  readonly text: string;
}

/** Paths of files below `folder` with this ending, relative to the root, sorted, without installed packages. */
export async function filesBelow(folder: string, ending: string): Promise<string[]> {
  const paths = await readdir(join(root, folder), { recursive: true });
  return paths
    .filter((path) => path.endsWith(ending) && !/(?:^|\/)(?:node_modules|\.venv)\//.test(path))
    .map((path) => `${folder}/${path}`)
    .sort();
}

/** All documents that readers get: at the root, below `docs/` and below `examples/`. */
export async function readDocuments(): Promise<Document[]> {
  const paths = [...AT_THE_ROOT, ...(await filesBelow("docs", ".md")), ...(await filesBelow("examples", ".md"))];
  return await Promise.all(paths.map(async (path) => ({ path, text: await Bun.file(join(root, path)).text() })));
}

/** `markdown` without its fenced code. */
export function withoutFences(markdown: string): string {
  return markdown.replace(/^ *```[\s\S]*?^ *```/gm, "");
}
