import {
  countConnections,
  endConnection,
  listConnections,
  MAX_LISTED,
  type OpenConnection,
  openDescriptors,
} from "../../native/connections.ts";
import { ListeningGate } from "../../native/listening-socket.ts";

/** Which connections a server accepts: none, those that wait now and then none, or all. */
export type Acceptance = Parameters<ListeningGate["accept"]>[0];

/** The connections to TCP ports of this process, as the operating system and Bun have them. */
export interface ServedPort {
  count(): number;
  list(): readonly OpenConnection[];
  end(connection: OpenConnection): boolean;
  /** Ends all that have been answered and ask for nothing. */
  endIdle(): void;
  /** Connections that are not accepted wait in the kernel. */
  accept(which: Acceptance): void;
}

/**
 * Opens the connections of a port that a server of this process listens on.
 * @param endIdle Bun's own way to end connections that have been answered
 */
export function openServedPort(port: number, endIdle: () => void): ServedPort {
  const gate = openGate(port);
  return {
    endIdle,
    count: () => countConnections(port),
    // Open descriptors are at least as many as connections, and cost nothing to count.
    list: () => listConnections(port, Math.min(MAX_LISTED, (openDescriptors() ?? countConnections(port)) + 1)),
    end: (connection) => endConnection(connection, port),
    accept: (which) => void gate?.accept(which),
  };
}

/** Several ports as if they were one. */
export function joinServedPorts(ports: readonly ServedPort[]): ServedPort {
  return {
    endIdle: () => ports.forEach((port) => port.endIdle()),
    count: () => ports.reduce((sum, port) => sum + port.count(), 0),
    list: () => ports.flatMap((port) => port.list()),
    // A port ends its own only.
    end: (connection) => ports.some((port) => port.end(connection)),
    accept: (which) => ports.forEach((port) => port.accept(which)),
  };
}

/** Without it, a server that has no descriptors left tries to accept connections all the time. */
function openGate(port: number): ListeningGate | undefined {
  try {
    return new ListeningGate(port);
  } catch {
    return undefined;
  }
}
