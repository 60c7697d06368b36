import { countConnections, endConnection, listConnections } from "../../native/connections.ts";
import { COST_SHARE } from "./connection-limit.ts";
import { chooseExcess } from "./excess.ts";

/** Time between two looks at the connections, unless they take long: all descriptors of the process are looked at. */
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
  let timer: Timer;
  const next = (milliseconds: number): void => {
    timer = setTimeout(() => {
      const begun = performance.now();
      try {
        look();
      } finally {
        next(Math.max(LOOK_MS, COST_SHARE * (performance.now() - begun)));
      }
    }, milliseconds);
  };
  next(LOOK_MS);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
