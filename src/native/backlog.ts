import { native } from "./library.ts";
import { checkInteger } from "./range.ts";

/**
 * Sets how many connections may wait at the sockets of this process that listen on a TCP port. Returns what the kernel
 * allows (`net.core.somaxconn` at most); 0 when none listens, or the sockets cannot be listed.
 * @param port 1 to 65535; @param connections 1 to 2^31 - 1
 */
export function setBacklog(port: number, connections: number): number {
  checkInteger("port", port, 1, 65_535);
  checkInteger("connections", connections, 1, 2 ** 31 - 1);
  return Math.max(0, native().sa_port_set_backlog(port, connections));
}
