import type { Logger } from "../../telemetry/log/log.ts";
import type { TlsCredentials } from "./credentials.ts";

const DAY_MS = 86_400_000;
/** Time before the end of a certificate from which on the log warns. */
export const WARN_DAYS = 14;

/** Warns in the log, once a day, of certificates that expire soon or have expired. */
export class ExpiryLog {
  readonly #log: Logger;
  /** When each certificate expires, by setting. */
  #expiries: readonly (readonly [setting: string, expiresAt: number])[] = [];
  #warnedAt: number | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Watches these certificates, in the place of earlier ones. */
  follow({ expiresAt, clientCaExpiresAt }: TlsCredentials): void {
    this.#warnedAt = undefined;
    this.#expiries = [
      ["server.tls_cert", expiresAt],
      ...(clientCaExpiresAt === undefined ? [] : [["server.tls_client_ca", clientCaExpiresAt] as const]),
    ];
  }

  /** Warns if it is time to. @param now milliseconds since the epoch */
  check(now: number): void {
    if (this.#warnedAt !== undefined && now - this.#warnedAt < DAY_MS && now >= this.#warnedAt) return;
    for (const [setting, expiresAt] of this.#expiries) {
      const days = Math.floor((expiresAt - now) / DAY_MS);
      if (days >= WARN_DAYS) continue;
      this.#warnedAt = now;
      const fields = { setting, expires: new Date(expiresAt).toISOString() };
      if (expiresAt < now) this.#log.error("certificate_expired", fields);
      else this.#log.warn("certificate_expires_soon", { ...fields, days });
    }
  }
}
