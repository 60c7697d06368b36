import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { rootCertificates } from "node:tls";

import type { Config } from "../../../config/config.ts";
import { canonicalAddress, isLoopbackAddress } from "../../../lib/ip-address.ts";
import { pemBlocks } from "../../../lib/pem-file.ts";
import { type TlsCredentials, TlsFault } from "../../../server/tls/credentials.ts";
import { WARN_DAYS } from "../../../server/tls/expiry-log.ts";
import { loadCredentials } from "../../../server/tls/tls-files.ts";
import type { Check } from "../check.ts";
import type { ReportFinding } from "../finding.ts";
import { permissionRemedy } from "../permissions.ts";

const DAY_MS = 86_400_000;
/** Names of a certificate that are shown. */
const MAX_SHOWN = 5;
const UNSPECIFIED: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** Certificate, chain, key and names, as the server checks them, and whether clients would trust them. */
export const tls: Check = {
  name: "tls",
  limitMs: 10_000,
  run: ({ config, machine }, report) => examineTls(config.server, machine.now(), report),
};

/** @param now milliseconds since 1970 */
export async function examineTls(server: Config["server"], now: number, report: ReportFinding): Promise<void> {
  let credentials: TlsCredentials | undefined;
  try {
    credentials = await loadCredentials(server, now);
  } catch (error) {
    if (!(error instanceof TlsFault)) throw error;
    for (const fault of error.message.split("\n")) {
      const [setting = "", ...rest] = fault.split(": ");
      const found = rest.join(": ");
      report("failure", setting, found, /which expired/.test(found) ? "renew it" : permissionRemedy(found));
    }
    return;
  }
  if (credentials === undefined) return;
  const chain = pemBlocks(credentials.cert, "certificate").map((pem) => new X509Certificate(pem));
  const [leaf] = chain;
  if (leaf === undefined) return;
  reportExpiry(
    "server.tls_cert",
    `certificate for ${shownNames(credentials.names)}`,
    credentials.expiresAt,
    now,
    report,
  );
  if (credentials.clientCaExpiresAt !== undefined) {
    reportExpiry("server.tls_client_ca", "authorities of clients", credentials.clientCaExpiresAt, now, report);
  }
  reportTrust(chain, report);
  for (const { key, name } of namesOf(server).filter((each) => !covers(leaf, each.name))) {
    const found = `${name} (${key}) is no name of the certificate: clients that connect to it refuse it`;
    report("warning", "server.tls_cert", found, `a certificate that has ${name} as a subject alternative name`);
  }
}

function reportExpiry(setting: string, what: string, expiresAt: number, now: number, report: ReportFinding): void {
  const days = Math.floor((expiresAt - now) / DAY_MS);
  const found = `${what}, expires ${new Date(expiresAt).toISOString().slice(0, 10)}, in ${days} days`;
  if (days >= WARN_DAYS) return report("ok", setting, found);
  report("warning", setting, found, "renew it; a running server takes the new file without a restart");
}

/** Reports a chain that programs do not trust without an authority of their own. */
function reportTrust(chain: readonly X509Certificate[], report: ReportFinding): void {
  const last = chain.at(-1);
  if (last === undefined || rootCertificates.some((pem) => isIssuedBy(last, pem))) return;
  const isSelfSigned = last.checkIssued(last);
  const found =
    isSelfSigned && chain.length === 1
      ? "is signed by itself: clients trust it only if they have it"
      : isSelfSigned
        ? "is of an authority that is not well known: clients trust it only if they have that"
        : "is of an issuer that is neither well known nor in the file";
  const remedy = isSelfSigned
    ? "give clients the last certificate of the file (send --ca FILE)"
    : "add the certificates of the issuers to the file, or give them to clients (send --ca FILE)";
  report("note", "server.tls_cert", found, remedy);
}

function isIssuedBy(certificate: X509Certificate, rootPem: string): boolean {
  const root = new X509Certificate(rootPem);
  return certificate.fingerprint256 === root.fingerprint256 || certificate.checkIssued(root);
}

/** Names and addresses that clients are told to connect to, and the settings that have them. */
function namesOf({ host, hosts }: Config["server"]): { readonly key: string; readonly name: string }[] {
  const address = canonicalAddress(host);
  const isReached = !UNSPECIFIED.has(host) && host !== "localhost" && !isLoopbackAddress(address ?? "");
  const names = hosts.filter((name) => !name.includes("*")).map((name) => ({ key: "server.hosts", name }));
  return [...(isReached ? [{ key: "server.host", name: host }] : []), ...names];
}

/** @param name a host name or an address */
function covers(leaf: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name)) !== undefined;
}

function shownNames(names: string): string {
  const all = names.split(", ").map((name) => name.replace(/^(?:DNS|IP Address):/, ""));
  return all.length > MAX_SHOWN
    ? `${all.slice(0, MAX_SHOWN).join(", ")} and ${all.length - MAX_SHOWN} more`
    : all.join(", ");
}
