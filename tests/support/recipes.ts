import { cp, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";

import { root } from "./documents.ts";

/** A change of one file. */
interface Step {
  /** Relative to the root. */
  readonly path: string;
  readonly isNew: boolean;
  /** Content of a new file; undefined when the page does not have it. */
  readonly content: string | undefined;
  /** Edits of an existing file, as `applyEdit` takes them. */
  readonly edits: readonly string[];
}

/** A section of docs/recipes.md. */
export interface Recipe {
  readonly title: string;
  readonly text: string;
  /** Its numbered list. */
  readonly steps: readonly Step[];
  /** Test files that it names, but for those that it creates. */
  readonly tests: readonly string[];
}

/** Reads the recipes of the page. */
export function readRecipes(page: string): Recipe[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const [title = ""] = text.split("\n");
      const items = text.split(/^(?=\d+\. )/m).slice(1);
      const steps = items.map((item) => readStep(item, text));
      const tests = [...new Set([...text.matchAll(/`(tests\/[\w./-]+\.test\.ts)`/g)].map(([, path = ""]) => path))];
      return { title, text, steps, tests };
    });
}

/** Names of fences that are not those of file extensions. */
const LANGUAGES: Readonly<Record<string, string>> = { ".py": "python", ".md": "md" };

function readStep(item: string, recipe: string): Step {
  // The last item ends where the text is no longer indented.
  const [step = ""] = item.split(/\n\n(?![ \n])/);
  const [, path = "", mark] =
    /`((?:src|native|tests|docs|deploy|examples)\/[\w./-]+\.\w+)`( \(new\))?/.exec(step) ?? [];
  const isNew = mark !== undefined;
  const below = recipe.split(`<details><summary><code>${path}</code></summary>\n`)[1];
  const language = LANGUAGES[extname(path)] ?? "ts";
  const content = isNew ? (codeBlocks(step, language)[0] ?? codeBlocks(below ?? "", language)[0]) : undefined;
  return { path, isNew, content, edits: codeBlocks(step, "diff") };
}

/** The fenced blocks of a language, without their indentation. */
function codeBlocks(markdown: string, language: string): string[] {
  const blocks = markdown.matchAll(new RegExp(`^( *)(\`{3,})${language}\n([^]*?)^\\1\\2$`, "gm"));
  return [...blocks].map(([, indent = "", , code = ""]) => code.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

/**
 * Applies an edit: a diff without line numbers. Its lines begin with a space (context), `-` or `+`; `@@` separates
 * places. `…` stands for any text of a line, which a `+` line takes over from the `-` lines before it. Throws unless
 * every place occurs exactly once in the text.
 */
export function applyEdit(text: string, edit: string): string {
  return edit
    .trimEnd()
    .split(/^@@\n/m)
    .reduce((changed, place) => applyPlace(changed, place.replace(/\n$/, "").split("\n")), text);
}

function applyPlace(text: string, lines: readonly string[]): string {
  const before = lines.filter((line) => !line.startsWith("+")).map((line) => line.slice(1));
  const pattern = new RegExp(`^${before.map((line) => RegExp.escape(line).replaceAll("…", "(.*)")).join("\n")}$`, "gm");
  const matches = [...text.matchAll(pattern)];
  const [match] = matches;
  if (match === undefined || matches.length > 1) {
    throw new Error(`these lines: found ${matches.length} times; allowed: once\n${before.join("\n")}`);
  }
  const kept = match.slice(1);
  const removed: string[] = [];
  const after: string[] = [];
  for (const line of lines) {
    const fill = (source: string[]): string => line.slice(1).replaceAll("…", () => source.shift() ?? "");
    if (line.startsWith("-")) removed.push(...kept.splice(0, line.split("…").length - 1));
    else after.push(fill(line.startsWith("+") ? removed : kept));
  }
  return text.slice(0, match.index) + after.join("\n") + text.slice(match.index + match[0].length);
}

/** Left out of a copy: what git does not have, but for the built native library. */
const LEFT_OUT = new Set(["node_modules", ".git", "coverage", "streamer"]);

/** Builds that come and go while other tests run. */
const PASSING = /^\/native\/build\/(?:fuzz|sanitized-\w+|executable\.\d+)(?:$|\/)/;
/** Packages of examples and of the figures, where they are installed: many files, which no recipe needs. */
const PACKAGES = /\/(?:node_modules|\.venv)(?:$|\/)/;

/** A copy of the project in a temporary folder, with the same packages. */
export class ProjectCopy implements AsyncDisposable {
  readonly #folder: string;

  static async create(): Promise<ProjectCopy> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-recipe-"));
    const names = (await readdir(root)).filter((name) => !LEFT_OUT.has(name));
    const filter = (path: string): boolean => {
      const own = path.slice(root.length);
      return !PASSING.test(own) && !PACKAGES.test(own);
    };
    // With the times of the files, the native library is as new as its sources.
    const options = { recursive: true, preserveTimestamps: true, filter };
    await Promise.all(names.map((name) => cp(join(root, name), join(folder, name), options)));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    return new ProjectCopy(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the changes of a recipe, except to the recorded surface. Throws an error that names the recipe and the step. */
  async follow({ title, steps }: Recipe): Promise<void> {
    for (const step of steps) {
      try {
        await this.#follow(step);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`update docs/recipes.md, "${title}", ${step.path}: ${reason}`);
      }
    }
  }

  async #follow({ path, isNew, content, edits }: Step): Promise<void> {
    if (path === RECORDED) return;
    const generator = GENERATED[path];
    if (generator !== undefined) return await this.run(generator);
    const file = Bun.file(join(this.#folder, path));
    if (isNew) {
      if (content === undefined) throw new Error("the page does not have its content");
      if (await file.exists()) throw new Error("a new file, and it exists");
      await Bun.write(file, content);
      return;
    }
    if (edits.length === 0) throw new Error("the page does not have its changes");
    await Bun.write(file, edits.reduce(applyEdit, await file.text()));
  }

  /** Runs Bun in the copy. Throws an error with the output when it fails. */
  async run(...command: readonly string[]): Promise<void> {
    const child = Bun.spawn([process.execPath, ...command], {
      cwd: this.#folder,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, NO_COLOR: "1" },
    });
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    if (code !== 0) throw new Error(`bun ${command.join(" ")} failed\n${out}${err}`);
  }

  /** Paths of files that differ from the project's, or that it does not have, sorted. */
  async changes(): Promise<string[]> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.#folder.length + 1))
      .filter((path) => !/^(?:node_modules|native\/build)\//.test(path));
    const differs = await Promise.all(paths.map((path) => this.#differs(path)));
    return paths.filter((_, index) => differs[index]).sort();
  }

  async #differs(path: string): Promise<boolean> {
    const own = Bun.file(join(root, path));
    if (!(await own.exists())) return true;
    return !Buffer.from(await own.bytes()).equals(await Bun.file(join(this.#folder, path)).bytes());
  }

  async read(path: string): Promise<string> {
    return await Bun.file(join(this.#folder, path)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** The record of everything visible from outside, which every recipe changes. */
export const RECORDED = "tests/data/surface.json";
/** Files that a script writes, and the script. */
const GENERATED: Readonly<Record<string, string>> = { "src/client/types/events.ts": "scripts/client-types.ts" };
