// The packages of bun.lock.

import { join } from "node:path";

const root = join(import.meta.dir, "..");

export interface LockedPackage {
  /** Place in the tree: a name, or `parent/name` where the parent has a version of its own. */
  readonly key: string;
  readonly name: string;
  readonly version: string;
  /** Names of packages that it needs. */
  readonly dependencies: readonly string[];
  /** Subresource integrity, `sha512-BASE64`. */
  readonly integrity: string;
}

export interface LockFile {
  readonly trusted: readonly string[];
  /** Names that the project needs at run time, and for its development. */
  readonly production: readonly string[];
  readonly development: readonly string[];
  readonly packages: ReadonlyMap<string, LockedPackage>;
}

type Names = Readonly<Record<string, string>>;
type Entry = readonly [
  string,
  string,
  { readonly dependencies?: Names; readonly optionalDependencies?: Names },
  string,
];

interface Written {
  readonly workspaces: { readonly "": { readonly dependencies: Names; readonly devDependencies: Names } };
  readonly trustedDependencies?: readonly string[];
  readonly packages: Readonly<Record<string, Entry>>;
}

/** Reads bun.lock. Throws an error for an entry of another form, such as a folder or a repository. */
export async function readLockFile(path = join(root, "bun.lock")): Promise<LockFile> {
  const written = Bun.JSONC.parse(await Bun.file(path).text()) as Written;
  const { dependencies, devDependencies } = written.workspaces[""];
  return {
    trusted: written.trustedDependencies ?? [],
    production: Object.keys(dependencies),
    development: Object.keys(devDependencies),
    packages: new Map(Object.entries(written.packages).map(([key, entry]) => [key, parseEntry(key, entry)])),
  };
}

/** Returns the packages that the project needs at run time, directly and through others, by name. */
export function productionPackages(lock: LockFile): LockedPackage[] {
  const found = new Map<string, LockedPackage>();
  const visit = (name: string, parent: string): void => {
    const one = lock.packages.get(`${parent}/${name}`) ?? lock.packages.get(name);
    if (one === undefined) throw new Error(`bun.lock: ${parent} needs ${name}, which is not there`);
    if (found.has(one.key)) return;
    found.set(one.key, one);
    for (const needed of one.dependencies) visit(needed, one.key);
  };
  for (const name of lock.production) visit(name, "");
  return [...found.values()].sort((a, b) => a.key.localeCompare(b.key, "en"));
}

/** The folder in which a package is installed, an absolute path. */
export function packageFolder({ key, name }: LockedPackage): string {
  const parent = key === name ? "" : join(key.slice(0, -name.length - 1), "node_modules");
  return join(root, "node_modules", parent, name);
}

function parseEntry(key: string, [id, , { dependencies = {} }, integrity]: Entry): LockedPackage {
  const at = id.lastIndexOf("@");
  const [name, version] = [id.slice(0, at), id.slice(at + 1)];
  if (at < 1 || typeof integrity !== "string") throw new Error(`bun.lock: ${key} is no package of a registry`);
  return { key, name, version, dependencies: Object.keys(dependencies), integrity };
}
