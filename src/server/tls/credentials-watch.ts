import { messageOf } from "../../lib/thrown.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import type { TlsFamilies } from "../../telemetry/metrics/families/tls.ts";
import { checkCredentials, type TlsCredentials, TlsFault, type TlsFiles } from "./credentials.ts";
import { ExpiryLog } from "./expiry-log.ts";
import { readTlsFiles, type TlsSettings } from "./tls-files.ts";

/** Interval between two looks at the files. */
const LOOK_MS = 1_000;
/** Looks at which a change must be the same before it is used: a file may just be written, or the key follow later. */
export const SETTLED_LOOKS = 2;
/** Looks at which a change that is not valid must be the same before it is reported. */
export const REFUSED_LOOKS = 10;

export interface CredentialsWatchOptions {
  readonly settings: TlsSettings;
  /** The credentials in use. */
  readonly credentials: TlsCredentials;
  readonly log: Logger;
  readonly metrics: TlsFamilies;
  /** Uses other credentials. May throw: then the earlier ones stay in use. */
  readonly use: (credentials: TlsCredentials) => void;
}

/** A change of the files that is not in use yet. */
interface Change {
  readonly content: string;
  looks: number;
  refused: boolean;
}

/**
 * Watches the files of certificates and key by their content, which works for every way to replace them: in place, by a
 * rename, or by a symbolic link of a folder above. What is not valid is never used.
 */
export class CredentialsWatch implements Disposable {
  readonly #options: CredentialsWatchOptions;
  readonly #expiry: ExpiryLog;
  #timer: Timer | undefined;
  #looking = false;
  /** The content of the files that is in use. */
  #content: string;
  #change: Change | undefined;

  constructor(options: CredentialsWatchOptions) {
    this.#options = options;
    this.#expiry = new ExpiryLog(options.log);
    this.#content = contentOf(filesOf(options.credentials));
    for (const result of ["loaded", "refused"]) options.metrics.reloads.with({ result });
    this.#used(options.credentials);
  }

  /** Looks at the files from now on, until disposed. Warns at once when a certificate expires soon. */
  begin(): void {
    this.#expiry.check(Date.now());
    this.#timer = setInterval(() => void this.#lookOnce(), LOOK_MS);
  }

  /** Looks at the files. @param now milliseconds since the epoch */
  async look(now: number): Promise<void> {
    this.#expiry.check(now);
    let files: TlsFiles | undefined;
    let fault: string | undefined;
    try {
      files = await readTlsFiles(this.#options.settings);
    } catch (error) {
      fault = messageOf(error);
    }
    const content = files === undefined ? `${fault}` : contentOf(files);
    if (content === this.#content) return void (this.#change = undefined);
    if (this.#change?.content !== content) this.#change = { content, looks: 0, refused: false };
    const change = this.#change;
    change.looks += 1;
    if (change.looks < SETTLED_LOOKS) return;
    if (files !== undefined) fault = this.#load(files, content, now);
    if (fault === undefined || change.looks < REFUSED_LOOKS || change.refused) return;
    change.refused = true;
    this.#options.metrics.reloads.with({ result: "refused" }).add();
    this.#options.log.error("certificate_refused", { reason: fault.replaceAll("\n", "; ") });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #lookOnce(): Promise<void> {
    // Files on a network may take longer than an interval.
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.look(Date.now());
    } finally {
      this.#looking = false;
    }
  }

  /** Uses other files. Returns why it cannot. */
  #load(files: TlsFiles, content: string, now: number): string | undefined {
    const { log, metrics, use } = this.#options;
    let credentials: TlsCredentials;
    try {
      credentials = checkCredentials(files, now);
      use(credentials);
    } catch (error) {
      return error instanceof TlsFault ? error.message : `the certificate cannot be replaced: ${messageOf(error)}`;
    }
    this.#content = content;
    this.#change = undefined;
    this.#used(credentials);
    metrics.reloads.with({ result: "loaded" }).add();
    log.info("certificate_loaded", describeCredentials(credentials));
    this.#expiry.check(now);
    return undefined;
  }

  #used(credentials: TlsCredentials): void {
    const { expiries } = this.#options.metrics;
    const { expiresAt, clientCaExpiresAt } = credentials;
    expiries.set("server", expiresAt);
    if (clientCaExpiresAt !== undefined) expiries.set("client_ca", clientCaExpiresAt);
    this.#expiry.follow(credentials);
  }
}

/** Returns what the log shows of credentials. */
export function describeCredentials({
  names,
  expiresAt,
  fingerprint,
  clientCa,
}: TlsCredentials): Record<string, unknown> {
  const expires = new Date(expiresAt).toISOString();
  return { names, expires, fingerprint, client_certificates: clientCa !== undefined };
}

function filesOf({ cert, key, clientCa }: TlsCredentials): TlsFiles {
  return { cert: [cert], key: [key], clientCa: clientCa === undefined ? undefined : [clientCa] };
}

function contentOf({ cert, key, clientCa }: TlsFiles): string {
  return [cert, key, clientCa ?? []].map((blocks) => blocks.join("")).join("\0");
}
