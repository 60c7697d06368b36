import { statSync } from "node:fs";

import { ownFiles } from "../../model/own-files.ts";

/** A change of the files of a model that is not reported yet. */
interface Change {
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The file of a model and those of its own that it imports, packages not included. They are compared by time, size and
 * inode, which shows every way to replace them: in place, or by a rename as editors do.
 */
export class WatchedFiles {
  readonly path: string;
  /** The files that were reported last, each with what it was like. */
  #files: ReadonlyMap<string, string>;
  #change: Change | undefined;
  /** Imports are searched at every look, because the model could not be loaded: the missing file may come. */
  searches = false;

  /** @param path of the model file, absolute */
  constructor(path: string) {
    this.path = path;
    this.#files = lookAt(ownFiles(path));
  }

  /** Number of the files. */
  get count(): number {
    return this.#files.size;
  }

  /**
   * Looks at the files. Returns the path of one that has changed, once, when all are as they were at the last look: an
   * editor may still be writing. A model file that is missing is no change, since it comes back.
   */
  look(): string | undefined {
    const known = lookAt(this.#files.keys());
    const found = this.searches || differs(known, this.#files) ? lookAt(ownFiles(this.path)) : known;
    const last = this.#change?.files;
    const changed = differs(found, this.#files);
    this.#change = changed === undefined ? undefined : { files: found };
    if (changed === undefined || !found.get(this.path)) return undefined;
    if (last === undefined || differs(found, last) !== undefined) return undefined;
    this.#files = found;
    this.#change = undefined;
    return changed;
  }
}

/** Returns what each file is like; an empty text: it is missing. */
function lookAt(paths: Iterable<string>): Map<string, string> {
  return new Map(Array.from(paths, (path) => [path, describe(path)]));
}

function describe(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** Returns the path of a file that is not the same in both. */
function differs(found: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string | undefined {
  for (const path of [...found.keys(), ...other.keys()]) if (found.get(path) !== other.get(path)) return path;
  return undefined;
}
