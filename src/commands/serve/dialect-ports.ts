import { lookup } from "node:dns/promises";

import type { Config } from "../../config/config.ts";
import { DEFAULT_HOST } from "../../config/server-address.ts";
import { ReservedPort } from "../../native/reserved-port.ts";
import { ListenError } from "../../server/listen-error.ts";

/**
 * Reserves the ports of dialects for the processes of this server, until it is disposed. Throws ListenError when another
 * server has one.
 */
export async function reserveDialectPorts({ wyoming, vosk }: Config): Promise<Disposable> {
  const places = [
    { section: "wyoming", host: wyoming.host, port: wyoming.port },
    { section: "vosk", host: DEFAULT_HOST, port: vosk.port },
  ];
  using reserved = new DisposableStack();
  for (const place of places.filter(({ port }) => port !== 0)) {
    try {
      reserved.use(new ReservedPort((await lookup(place.host)).address, place.port));
    } catch (error) {
      throw new ListenError(place, error);
    }
  }
  return reserved.move();
}
