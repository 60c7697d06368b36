import type { Config } from "../../config/config.ts";
import { CredentialsWatch } from "../../server/tls/credentials-watch.ts";
import { type TlsCredentials, TlsFault } from "../../server/tls/credentials.ts";
import { loadCredentials } from "../../server/tls/tls-files.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import type { TlsFamilies } from "../../telemetry/metrics/families/tls.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { warnIfReadable } from "./exposure.ts";

/** Reads and checks certificate and key. Returns undefined when none is configured. Throws UsageError with all faults. */
export async function readCredentials({ server }: Config): Promise<TlsCredentials | undefined> {
  try {
    return await loadCredentials(server, Date.now());
  } catch (error) {
    if (error instanceof TlsFault) {
      throw new UsageError(`invalid configuration:\n  ${error.message.replaceAll("\n", "\n  ")}`);
    }
    throw error;
  }
}

export interface WatchOptions {
  readonly config: Config;
  /** Undefined: there is nothing to watch. */
  readonly credentials: TlsCredentials | undefined;
  readonly log: Logger;
  readonly metrics: TlsFamilies;
  /** Uses credentials that have changed. */
  readonly server: { useCredentials(credentials: TlsCredentials): void };
}

/** Watches the files of certificate and key until disposed. */
export function watchCredentials({
  config,
  credentials,
  log,
  metrics,
  server,
}: WatchOptions): CredentialsWatch | undefined {
  if (credentials === undefined) return undefined;
  const use = (changed: TlsCredentials): void => {
    server.useCredentials(changed);
    warnIfReadable("server.tls_key", config.server.tls_key, log);
  };
  const watch = new CredentialsWatch({ settings: config.server, credentials, log, metrics, use });
  watch.begin();
  return watch;
}
