import { dirname } from "node:path";

import { pythonImports } from "./python-imports.ts";
import { readSource } from "./source-place.ts";

/** Files of a model that are looked at. */
const MAX_FILES = 200;

/** Iterates over the model file and the files of its own that it imports. @param path absolute */
export function* ownFiles(path: string): Generator<string> {
  const files = [path];
  const root = dirname(path);
  for (let i = 0; i < files.length && i < MAX_FILES; i++) {
    const file = files[i]!;
    yield file;
    const imported = file.endsWith(".py") ? pythonImports(file, root) : importsOf(file).map(([, resolved]) => resolved);
    for (const resolved of imported) {
      if (!resolved.includes("/node_modules/") && !files.includes(resolved)) files.push(resolved);
    }
  }
}

/** Returns the specifiers that a file imports, each with the path of its module. */
export function importsOf(path: string): [specifier: string, path: string][] {
  try {
    const imports = new Bun.Transpiler({ loader: "ts" }).scanImports(readSource(path));
    return imports.flatMap(({ path: specifier }): [string, string][] => {
      const resolved = resolveFrom(path, specifier);
      return resolved === undefined ? [] : [[specifier, resolved]];
    });
  } catch {
    return [];
  }
}

function resolveFrom(path: string, specifier: string): string | undefined {
  try {
    return Bun.resolveSync(specifier, dirname(path));
  } catch {
    return undefined;
  }
}
