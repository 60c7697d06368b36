import { getSystemErrorName } from "node:util";

import { canonicalAddress } from "../lib/ip-address.ts";
import { native } from "./library.ts";
import { checkInteger } from "./range.ts";

/** Words of one connection, SA_CONNECTION_WORDS. */
const WORDS = 8;
/** Most connections of one list, SA_MAX_CONNECTIONS. */
export const MAX_LISTED = 2 ** 22;

/** A connection of a client to a TCP port of this process. */
export interface OpenConnection {
  readonly fd: number;
  /** Milliseconds since a byte has gone in either direction; 0 while the server has not read everything. */
  readonly silentMs: number;
  /** The client's address, in canonical form, and port. */
  readonly address: string;
  readonly port: number;
  /** The client has ended its side, perhaps behind bytes that the server has not read. */
  readonly hasEnded?: boolean;
}

/** Returns the number of open descriptors of this process; undefined where the kernel does not count them. */
export function openDescriptors(): number | undefined {
  const open = native().sa_descriptors_open();
  return open < 0 ? undefined : open;
}

/**
 * Lists the connections that have come to a TCP port of this process, whatever server they belong to. Needs no free
 * descriptor. Takes time that is linear in the open ones: some 0.5 us each.
 * @param port 1 to 65535; @param most connections that the list may have, 1 to MAX_LISTED
 */
export function listConnections(port: number, most: number): OpenConnection[] {
  checkInteger("port", port, 1, 65_535);
  checkInteger("most", most, 1, MAX_LISTED);
  const words = new Uint32Array(most * WORDS);
  const count = native().sa_connections_list(port, words, most);
  if (count < 0) throw new Error(`cannot list the connections to port ${port}: ${getSystemErrorName(count)}`);
  return Array.from({ length: Math.min(count, most) }, (_, index) => {
    const at = index * WORDS;
    const address = addressOf(words, at + 4);
    const [fd = 0, silentMs = 0, port = 0, ended] = words.subarray(at, at + 4);
    return { fd, silentMs, address, port, hasEnded: ended === 1 };
  });
}

/** Returns the number of connections to a TCP port of this process. @param port 1 to 65535 */
export function countConnections(port: number): number {
  checkInteger("port", port, 1, 65_535);
  return Math.max(0, native().sa_connections_list(port, new Uint32Array(WORDS), 0));
}

/**
 * Ends a connection to a TCP port of this process. The server that it belongs to sees its end, and closes it. Returns
 * false when it is gone.
 * @param port 1 to 65535
 */
export function endConnection({ fd }: Pick<OpenConnection, "fd">, port: number): boolean {
  checkInteger("fd", fd, 0, 2 ** 31 - 1);
  checkInteger("port", port, 1, 65_535);
  return native().sa_connection_close(fd, port) === 0;
}

/** Returns the address at a place in canonical form: 16 bytes, IPv4 mapped into IPv6. */
function addressOf(words: Uint32Array, at: number): string {
  const last = words[at + 3] ?? 0;
  // The machines that Streamer runs on are little-endian.
  if (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xff_ff_00_00) {
    return `${last & 255}.${(last >>> 8) & 255}.${(last >>> 16) & 255}.${last >>> 24}`;
  }
  const bytes = new DataView(words.buffer, at * 4, 16);
  const groups = Array.from({ length: 8 }, (_, group) => bytes.getUint16(2 * group).toString(16));
  return canonicalAddress(groups.join(":")) ?? "";
}
