import { dirname, join } from "node:path";

/** Returns the text of a file; undefined: it cannot be read. */
export type ReadText = (path: string) => string | undefined;

const CGROUPS = "/sys/fs/cgroup";

/** A limit of a control group: its controller, and its file by version. */
export interface GroupLimit {
  /** Name of the controller in version 1. */
  readonly controller: string;
  /** Name of the file in version 2, and in version 1. */
  readonly files: readonly [version2: string, version1: string];
}

/** A file of a control group that this process belongs to. */
export interface GroupFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Returns the files of one limit in the control groups of this process, from its own up to the root, as far as they can
 * be read. In a container the path of the group may be that of the host, and its files those of the root.
 */
export function groupFiles(read: ReadText, { controller, files }: GroupLimit): GroupFile[] {
  const [version2, version1] = files;
  const found: GroupFile[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (line === "" || (controllers !== "" && !controllers.split(",").includes(controller))) continue;
    const roots = controllers === "" ? [CGROUPS, `${CGROUPS}/unified`] : [`${CGROUPS}/${controller}`];
    const name = controllers === "" ? version2 : version1;
    for (const root of roots) found.push(...filesUpwards(read, root, path, name));
  }
  return found;
}

function filesUpwards(read: ReadText, root: string, group: string, name: string): GroupFile[] {
  const found: GroupFile[] = [];
  for (let at = join("/", group); ; at = dirname(at)) {
    const path = join(root, at, name);
    const text = read(path);
    if (text !== undefined) found.push({ path, text });
    if (at === "/") return found;
  }
}
