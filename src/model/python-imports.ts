import { statSync } from "node:fs";
import { dirname, join } from "node:path";

import { readSource } from "./source-place.ts";

/** `import a.b, c as d` and `from ..a import b, c`, at any indentation. */
const STATEMENT = /^[ \t]*(?:import[ \t]+([^\n#;]+)|from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+))/gm;

/**
 * Returns the files of its own that a Python file imports: modules and packages that stand beside the model, or beside
 * the file if the import is relative. Statements are found by their form alone, so that one in a text counts, too.
 * @param root folder of the model file, from which Python imports
 */
export function pythonImports(path: string, root: string): string[] {
  let source: string;
  try {
    source = readSource(path);
  } catch {
    return [];
  }
  return [...source.matchAll(STATEMENT)].flatMap(([, modules, dots = "", from = "", names = ""]) => {
    if (modules !== undefined) return namesIn(modules).flatMap((name) => filesOf(root, name));
    // One dot is the folder of the file itself.
    const base = dots === "" ? root : join(dirname(path), ...Array<string>(dots.length - 1).fill(".."));
    const found = from === "" ? [] : filesOf(base, from);
    // What is imported from a package may be a module in it.
    return [...found, ...namesIn(names).flatMap((name) => filesOf(base, from === "" ? name : `${from}.${name}`))];
  });
}

/** Returns the names of a list, without `as`. */
function namesIn(list: string): string[] {
  return list
    .split(/[,()]/)
    .map((part) => /^\s*([\w.]+)/.exec(part)?.[1])
    .filter((name) => name !== undefined);
}

/** Returns the file of a module, and those of the packages around it. */
function filesOf(base: string, name: string): string[] {
  const parts = name.split(".");
  const packages = parts.map((_, i) => join(base, ...parts.slice(0, i + 1), "__init__.py"));
  return [...packages, `${join(base, ...parts)}.py`].filter((path) => {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  });
}
