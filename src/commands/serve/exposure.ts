import { lookup } from "node:dns/promises";

import type { Config } from "../../config/config.ts";
import { canonicalAddress, isLoopbackAddress } from "../../lib/ip-address.ts";
import type { Logger } from "../../telemetry/log/log.ts";

/** Warns if other machines can use the server although nobody needs a token or a certificate. */
export async function warnOfExposure({ server, auth }: Config, log: Pick<Logger, "warn">): Promise<void> {
  const { host } = server;
  if (auth.tokens !== "none" || server.tls_client_ca !== "none" || (await isLoopback(host))) return;
  const message =
    "every machine that reaches this address can use the server, because nobody needs a token; " +
    "set auth.tokens, or listen on 127.0.0.1";
  log.warn("open_to_everybody", { host, message });
}

/** Returns true if only programs of this machine reach the address. */
async function isLoopback(host: string): Promise<boolean> {
  const addresses = await lookup(host, { all: true }).catch(() => []);
  const found = addresses.map(({ address }) => canonicalAddress(address) ?? address);
  return found.length > 0 && found.every(isLoopbackAddress);
}
