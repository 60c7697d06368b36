import { messageOf } from "../lib/thrown.ts";
import { importsOf, ownFiles } from "./own-files.ts";
import { importPlace, readSource, stackPlace, textPlace } from "./source-place.ts";

const MAX_ERRORS = 10;

/**
 * Describes what the import of a model file threw, with the place of each error as `FILE:LINE:COLUMN` and the package
 * that is missing. The words follow "model X cannot be loaded: ".
 * @param path absolute path of the model file
 */
export function describeImportError(error: unknown, path: string): string {
  if (!(error instanceof Error)) return `its import throws ${messageOf(error)}${suffix(throwPlace(path))}`;
  const built = describeBuildError(error);
  if (built !== undefined) return built;
  const missing = /\bmodule '(.*?)'/.exec(error.message)?.[1];
  if (error.name === "SyntaxError" && missing !== undefined) {
    return `${error.message}${suffix(importerPlace(path, missing))}`;
  }
  const place = stackPlace(error) ?? (error.name === "SyntaxError" ? brokenJson(path) : undefined);
  return `its import throws an error: ${messageOf(error)}${suffix(place ?? path)}`;
}

/**
 * Describes an error of Bun's parser or resolver, with its place; undefined: it is another error. An import throws them
 * wherever it stands. Bun 1.4.5 throws one error of a file by itself, and several as an AggregateError without a place.
 */
export function describeBuildError(error: unknown): string | undefined {
  if (isBuildError(error)) {
    const text = describeOne(error);
    return error.name === "BuildMessage" ? `it cannot be parsed: ${text}` : text;
  }
  if (!(error instanceof AggregateError) || !error.errors.some(isBuildError)) return undefined;
  const lines = error.errors.slice(0, MAX_ERRORS).map((each) => `\n  ${describeOne(each)}`);
  const omitted = error.errors.length - lines.length;
  if (omitted > 0) lines.push(`\n  and ${omitted} more`);
  return `it has ${error.errors.length} errors:${lines.join("")}`;
}

function isBuildError(error: unknown): error is Error {
  return error instanceof Error && (error.name === "BuildMessage" || error.name === "ResolveMessage");
}

function describeOne(error: unknown): string {
  const message = messageOf(error);
  if (!isBuildError(error)) return message;
  if (error.name === "ResolveMessage" && "specifier" in error) return describeUnresolved(error, message);
  return `${message}${suffix(buildPlace(error))}`;
}

function describeUnresolved(error: Error, message: string): string {
  const { specifier, referrer } = error as Error & { specifier?: unknown; referrer?: unknown };
  const place = typeof referrer === "string" ? importPlace(referrer, String(specifier)) : undefined;
  const [name] = /^(?:@[^/:]+\/)?[^@./:][^/:]*(?=\/|$)/.exec(String(specifier)) ?? [];
  const hint = name === undefined ? "" : ` (\`npm install ${name}\` in its folder installs it)`;
  return `${message}${hint}${suffix(place)}`;
}

function buildPlace(error: Error): string | undefined {
  const { position } = error as Error & { position?: unknown };
  if (typeof position !== "object" || position === null) return undefined;
  const { file, line, column } = position as Record<string, unknown>;
  return `${String(file)}:${String(line)}:${String(column)}`;
}

/** Returns the place where the model file, or a file of its own that it imports, imports a module. */
function importerPlace(path: string, module: string): string | undefined {
  for (const file of ownFiles(path)) {
    for (const [specifier, resolved] of importsOf(file)) {
      if (resolved === module) return importPlace(file, specifier);
    }
  }
  return undefined;
}

/** Returns the place of the `throw` of a value without a stack: the first at the start of a line, or the model file. */
function throwPlace(path: string): string {
  for (const file of ownFiles(path)) {
    const place = textPlace(file, /^throw\b/m);
    if (place !== file) return place;
  }
  return path;
}

/** Returns the first JSON file that is imported and is none. Bun 1.4.5 names neither the file nor the line. */
function brokenJson(path: string): string | undefined {
  for (const file of ownFiles(path)) {
    if (!file.endsWith(".json")) continue;
    try {
      JSON.parse(readSource(file));
    } catch {
      return file;
    }
  }
  return undefined;
}

function suffix(place: string | undefined): string {
  return place === undefined ? "" : ` (${place})`;
}
