import { readFileSync } from "node:fs";

/** Returns `FILE:LINE:COLUMN` of the innermost frame of the stack that is in a file; undefined: there is none. */
export function stackPlace(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return /^\s*at (?:.*\()?(?:file:\/\/)?(\/(?!\$bunfs).*?:\d+:\d+)\)?$/m.exec(stack)?.[1];
}

/** Returns the place of the first match in a file as `FILE:LINE:COLUMN`, or the file when nothing matches. */
export function textPlace(path: string, pattern: RegExp): string {
  const text = readSource(path);
  const index = text.search(pattern);
  if (index < 0) return path;
  const before = text.slice(0, index);
  const line = before.split("\n").length;
  return `${path}:${line}:${index - before.lastIndexOf("\n")}`;
}

/** Returns the place where a model file exports its default. */
export function defaultExportPlace(path: string): string {
  return textPlace(path, /\bexport\s+default\b|\bas\s+default\b|\bmodule\.exports\b/);
}

/** Returns the place where a file imports a specifier. */
export function importPlace(path: string, specifier: string): string {
  return textPlace(path, new RegExp(`["'\`]${RegExp.escape(specifier)}["'\`]`));
}

/** Returns the text of a file; an empty one when it cannot be read. */
export function readSource(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
