import { lstatSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";

/** Permission of every user to write. */
const OTHERS_WRITE = 0o002;

/**
 * Returns what makes a virtual environment beside a model foreign: where every user may write, another one may have put
 * it there, or can change it. Undefined: it belongs to root, this user or the owner of the model file, whose code runs
 * anyway. What its interpreter is a link to does not matter: whoever made the link has chosen that.
 * @param user of this process
 */
export function findForeignPart(venv: string, model: string, user = process.geteuid?.()): string | undefined {
  const owners = new Set([0, user, ...look(model).map(({ uid }) => uid)]);
  const folders = [venv, join(venv, "bin")];
  const interpreter = join(venv, "bin", "python");
  for (const path of [...folders, interpreter]) {
    const found = path === interpreter ? look(path).slice(0, 1) : look(path);
    const foreign = found.find(({ uid }) => !owners.has(uid));
    if (foreign !== undefined) {
      const allowed = "root, the user of the server, the owner of the model";
      return `${path} belongs to user ${foreign.uid}; allowed: ${allowed}`;
    }
    if (found.some(isOpen)) return `every user may write to ${path}`;
  }
  return undefined;
}

/** Returns what is at a path, and for a link what it leads to, too. */
function look(path: string): Stats[] {
  const found = [lstatSync(path, { throwIfNoEntry: false }), statSync(path, { throwIfNoEntry: false })];
  return found.filter((stat) => stat !== undefined);
}

/** The sticky bit does not help: files that are added change an environment, too, such as a `pyvenv.cfg`. */
function isOpen(stat: Stats): boolean {
  return !stat.isSymbolicLink() && (stat.mode & OTHERS_WRITE) !== 0;
}
