import { readdir, readFile, readlink } from "node:fs/promises";

/** State of a socket that listens, in /proc/net/tcp. */
const LISTENS = "0A";
/** Processes that are looked at. */
const MAX_PROCESSES = 20_000;
const TABLES = ["/proc/net/tcp", "/proc/net/tcp6"] as const;

/** A process that listens on a port. */
export interface PortOwner {
  readonly pid: number;
  /** Name of the program. */
  readonly name: string;
}

/** Returns the process that listens on a TCP port; undefined: it is of another user, in another container, or none. */
export async function findPortOwner(port: number): Promise<PortOwner | undefined> {
  const sockets = new Set<string>();
  for (const table of TABLES) {
    for (const inode of listeningInodes(await readFile(table, "utf8").catch(() => ""), port)) {
      sockets.add(`socket:[${inode}]`);
    }
  }
  if (sockets.size === 0) return undefined;
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids.slice(0, MAX_PROCESSES)) {
    if (!(await hasOpen(pid, sockets))) continue;
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    return { pid: Number(pid), name: name.trim() };
  }
  return undefined;
}

/** Returns the inodes of the sockets that listen on a port, from the text of /proc/net/tcp. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    return local.endsWith(suffix) && state === LISTENS ? [inode] : [];
  });
}

async function hasOpen(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of await readdir(folder).catch(() => [])) {
    if (sockets.has(await readlink(`${folder}/${fd}`).catch(() => ""))) return true;
  }
  return false;
}
