// The package on Node.js: the same, over the WebSocket of the package `ws`.

import { type Client, connect as connectNatively } from "./client.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { openNodeSocket } from "./node-socket.ts";
import type { StartFields } from "./types/start.ts";

export * from "./index.ts";

/** Like `connect` of the other run times. */
export function connect(url: string | URL, start: StartFields, options: ConnectOptions = {}): Promise<Client> {
  return connectNatively(url, start, { ...options, openSocket: options.openSocket ?? openNodeSocket });
}
