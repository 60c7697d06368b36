import { countConnections, endConnection, listConnections } from "../../native/connections.ts";
import { chooseExcess } from "./excess.ts";

/** Interval between two looks at the connections. */
const LOOK_MS = 500;

/**
 * Limits the connections to a TCP port of this process, which has no sessions: beyond the limit, those on which nothing
 * has moved for longest are ended, first of the address that has the most.
 * @param port 1 to 65535
 */
export function limitPort(port: number, most: number): Disposable {
  const look = (): void => {
    const count = countConnections(port);
    if (count <= most) return;
    const open = listConnections(port, count);
    const rules = { perAddress: 0, isExempt: () => true, surplus: open.length - most };
    for (const { connections } of chooseExcess(open, rules))
      for (const connection of connections) endConnection(connection, port);
  };
  const timer = setInterval(look, LOOK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
