import { lookup } from "node:dns/promises";
import { realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";

import { type Config, type EffectiveConfig, secretEntries } from "../../config/config.ts";
import { tcpDialectPorts } from "../../config/dialect-ports.ts";
import { canonicalAddress, isLoopbackAddress } from "../../lib/ip-address.ts";
import { worldReadableMode, worldReadableWarning, worldWritableMode } from "../../lib/world-readable.ts";
import { isModelPath } from "../../model/models.ts";
import type { Logger } from "../../telemetry/log/log.ts";

/** Warns if other machines can use the server although nobody needs a token or a certificate. */
export async function warnOfExposure(config: Config, log: Pick<Logger, "warn">): Promise<void> {
  const { server, auth } = config;
  const { host } = server;
  for (const { section, host, port, allow } of auth.tokens === "none" ? tcpDialectPorts(config) : []) {
    if (allow.length > 0 || (await isLoopback(host))) continue;
    const message =
      "every machine that reaches this address can use the server, because nobody needs a token; " +
      `set ${section}.allow, or listen on 127.0.0.1`;
    log.warn("open_to_everybody", { host, port, message });
  }
  if (auth.tokens !== "none" || server.tls_client_ca !== "none" || (await isLoopback(host))) return;
  const message =
    "every machine that reaches this address can use the server, because nobody needs a token; " +
    "set auth.tokens, or listen on 127.0.0.1";
  log.warn("open_to_everybody", { host, message });
}

/**
 * Warns if every user of the machine can read the keys of the deployment, that of the certificate, or a configuration
 * file with secrets of models.
 */
export function warnOfReadableSecrets({ config, entries }: EffectiveConfig, log: Pick<Logger, "warn">): void {
  warnIfReadable("auth.secret_file", config.auth.secret_file, log);
  warnIfReadable("server.tls_key", config.server.tls_key, log);
  // One of each file. What comes from elsewhere, such as an environment variable, has a source that is no file.
  const files = new Map(secretEntries(entries).map(({ key, source }) => [source, key]));
  for (const [source, key] of files) warnIfReadable(key, source, log);
}

/** Warns if every user of the machine can read a file with a secret. @param path none: there is no file */
export function warnIfReadable(setting: string, path: string, log: Pick<Logger, "warn">): void {
  const mode = path === "none" ? undefined : worldReadableMode(path);
  if (mode !== undefined) log.warn("secret_readable", { message: worldReadableWarning(path, mode, setting) });
}

/** Warns if every user of the machine can change a model file, or the folder that it imports from. */
export function warnOfWritableModels({ model, models }: Config, log: Pick<Logger, "warn">): void {
  const files = [model, ...Object.values(models)].flatMap(({ name }) => (isModelPath(name) ? resolve(name) : []));
  for (const place of new Set(files.flatMap((file) => [file, dirname(file), dirname(targetOf(file))]))) {
    const mode = worldWritableMode(place);
    if (mode === undefined) continue;
    const message = `${place}: found mode ${mode}, so that every user can change the model; better: chmod o-w`;
    log.warn("model_writable", { message });
  }
}

/** Returns what a path leads to; the path itself if there is nothing. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Returns true if only programs of this machine reach the address. */
async function isLoopback(host: string): Promise<boolean> {
  const addresses = await lookup(host, { all: true }).catch(() => []);
  const found = addresses.map(({ address }) => canonicalAddress(address) ?? address);
  return found.length > 0 && found.every(isLoopbackAddress);
}
