import { lookup } from "node:dns/promises";

import type { Config } from "../../config/config.ts";
import { dialectPorts } from "../../config/dialect-ports.ts";
import { ReservedPort } from "../../native/reserved-port.ts";
import { ListenError } from "../../server/listen-error.ts";

/**
 * Reserves the ports of dialects for the processes of this server, until it is disposed. Throws ListenError when another
 * server has one.
 */
export async function reserveDialectPorts(config: Config): Promise<Disposable> {
  using reserved = new DisposableStack();
  for (const place of dialectPorts(config)) {
    try {
      reserved.use(new ReservedPort((await lookup(place.host)).address, place.port));
    } catch (error) {
      throw new ListenError(place, error);
    }
  }
  return reserved.move();
}
