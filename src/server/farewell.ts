import { readlinkSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** Interval between two looks. */
const LOOK_MS = 50;

/** States of a connection that this side has closed and the other has not: FIN_WAIT1, FIN_WAIT2, CLOSING. */
const HALF_CLOSED: ReadonlySet<string> = new Set(["04", "05", "0B"]);
const ESTABLISHED = "01";

/** The server's side of the connections that may still have something on the way. */
export interface FarewellHost {
  /** Port that the connections came to. */
  readonly port: number;
  /** Requests that have not been answered. */
  pendingRequests(): number;
}

/**
 * Waits until every peer has what was sent to it: requests are answered, and the peers of closed connections have closed
 * too. If the process ended earlier, the kernel would answer data still on its way from a peer with a reset, and that
 * overtakes what the peer has not read yet.
 *
 * Bun 1.4.5 reports a WebSocket closed when its close frame has been sent, so the kernel is asked.
 *
 * @param unknown connections to assume where the kernel does not say
 * @param until time of `performance.now()` at which to give up
 */
export async function waitForPeers(host: FarewellHost, unknown: number, until: number): Promise<void> {
  while (performance.now() < until) {
    const connections = (await unfinishedConnections(host.port)) ?? unknown;
    if (connections === 0 && host.pendingRequests() === 0) return;
    await Bun.sleep(LOOK_MS);
  }
}

/**
 * Returns the number of this process's connections to a local port that are half-closed, or have data that the peer has
 * not acknowledged; undefined where the kernel has no such list, or no descriptor is left to read it.
 */
export async function unfinishedConnections(port: number): Promise<number | undefined> {
  const tables = await Promise.all(["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(readTable));
  if (tables.every((table) => table === undefined)) return undefined;
  const inodes = tables.flatMap((table) => unfinishedInodes(table ?? "", port));
  if (inodes.length === 0) return 0;
  const own = await socketsOfProcess();
  return own && inodes.filter((inode) => own.has(`socket:[${inode}]`)).length;
}

/** Returns the inodes of the sockets on `port` in a table such as /proc/net/tcp. See proc_net_tcp.txt of Linux. */
function unfinishedInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state = "", queues = "", , , , , inode = ""] = line.trim().split(/\s+/);
    if (!local.endsWith(suffix)) return [];
    const unsent = state === ESTABLISHED && !queues.startsWith("00000000:");
    return unsent || HALF_CLOSED.has(state) ? [inode] : [];
  });
}

async function readTable(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}

/** Names such as `socket:[4711]`, with the inode, of all open files of this process; undefined: no descriptor is left. */
async function socketsOfProcess(): Promise<Set<string> | undefined> {
  const names = new Set<string>();
  const open = await readdir("/proc/self/fd").catch(() => undefined);
  if (open === undefined) return undefined;
  for (const fd of open) {
    try {
      names.add(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // Closed since the folder was read.
    }
  }
  return names;
}
