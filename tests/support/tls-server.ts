import { appendFile } from "node:fs/promises";

import { Authority, credentialsOf } from "./certificates.ts";
import { InProcessServer, type Settings } from "./in-process-server.ts";

/**
 * Starts a server that speaks TLS as `localhost` and `127.0.0.1`.
 * @param caFile to which the certificate of its authority is added, in PEM: clients have to trust it
 */
export async function startWithTls(settings: Settings, caFile: string): Promise<InProcessServer> {
  const authority = await Authority.create();
  await appendFile(caFile, authority.cert);
  return await InProcessServer.start(settings, { tls: credentialsOf(await authority.issue()) });
}
