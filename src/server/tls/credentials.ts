import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

import { describeValue } from "../../lib/excerpt.ts";
import { PemFault } from "../../lib/pem-file.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";

/** The contents of the three files. */
export interface TlsFiles {
  /** The certificate of the server, then those of its issuers, each in PEM. */
  readonly cert: readonly string[];
  /** The private keys in PEM, of which there must be one. */
  readonly key: readonly string[];
  /** The certificates of the authorities whose clients are admitted; undefined: clients need no certificate. */
  readonly clientCa: readonly string[] | undefined;
}

/** Certificate and key that have been checked, as plain values that can be sent to another process. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string | undefined;
  /** The names of the server, as `DNS:example.org, IP Address:192.0.2.1`. */
  readonly names: string;
  /** When the first certificate of the chain expires, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** When the first of the clients' authorities expires of those that are valid; undefined without authorities. */
  readonly clientCaExpiresAt: number | undefined;
  /** SHA-256 of the server's certificate, in hexadecimal digits with colons. */
  readonly fingerprint: string;
}

/** The settings that name the files. */
export type TlsSetting = "tls_cert" | "tls_key" | "tls_client_ca";

/** The files are not valid. The message has a line for each fault, which names the setting. */
export class TlsFault extends Error {
  override readonly name = "TlsFault";

  constructor(faults: readonly (readonly [TlsSetting, string])[]) {
    super(faults.map(([setting, fault]) => `server.${setting}: ${fault}`).join("\n"));
  }
}

/** The purposes of a certificate that a server may have: TLS server, and any. */
const SERVER_PURPOSES: ReadonlySet<string> = new Set(["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"]);
const NAMED = /(?:^|, )(?:DNS|IP Address):/;

/**
 * Checks certificate, chain and key, and the authorities of clients. Throws TlsFault.
 * @param now milliseconds since the epoch
 */
export function checkCredentials({ cert, key, clientCa }: TlsFiles, now: number): TlsCredentials {
  const faults: [TlsSetting, string][] = [];
  const attempt = <Value>(setting: TlsSetting, work: () => Value): Value | undefined => {
    try {
      return work();
    } catch (error) {
      faults.push([setting, error instanceof PemFault ? error.message : messageOf(error)]);
      return undefined;
    }
  };
  const chain = attempt("tls_cert", () => checkChain(cert.map(parseCertificate), now));
  const [leaf] = chain ?? [];
  attempt("tls_key", () => checkKey(key, leaf));
  const clientCaExpiresAt =
    clientCa && attempt("tls_client_ca", () => checkAuthorities(clientCa.map(parseCertificate), now));
  if (chain === undefined || leaf === undefined || faults.length > 0) throw new TlsFault(faults);
  const checked = { cert: cert.join(""), key: key.join(""), clientCa: clientCa?.join("") };
  attempt("tls_cert", () => checkContext(checked));
  if (faults.length > 0) throw new TlsFault(faults);
  return {
    ...checked,
    names: leaf.subjectAltName ?? "",
    expiresAt: Math.min(...chain.map(({ validTo }) => Date.parse(validTo))),
    clientCaExpiresAt,
    fingerprint: leaf.fingerprint256,
  };
}

function parseCertificate(pem: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new PemFault(`certificate ${index + 1}, which is damaged (${reasonOf(error)})`, "certificates in PEM");
  }
}

/** Checks a certificate of a server and those of its issuers. Returns them. */
function checkChain(chain: readonly X509Certificate[], now: number): readonly X509Certificate[] {
  const [leaf] = chain;
  for (const [i, certificate] of chain.entries()) {
    checkValidity(certificate, i, now);
    const issuer = chain[i + 1];
    if (issuer !== undefined && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
      throw new PemFault(
        `certificate ${i + 2} of ${nameOf(issuer.subject)}, which has not signed certificate ${i + 1} of ${nameOf(certificate.subject)}`,
        "the certificate of the server, then that of its issuer, and so on",
      );
    }
  }
  const names = leaf?.subjectAltName ?? "";
  if (!NAMED.test(names)) {
    const found = names === "" ? "no subject alternative name" : `the subject alternative name ${describeValue(names)}`;
    throw new PemFault(
      `a certificate of ${nameOf(leaf?.subject)} with ${found}`,
      "one with the host names or addresses of the server there, because clients look nowhere else",
    );
  }
  // An empty or absent list permits all purposes.
  const purposes: readonly string[] = (leaf?.keyUsage as readonly string[] | undefined) ?? [];
  if (purposes.length > 0 && !purposes.some((purpose) => SERVER_PURPOSES.has(purpose))) {
    throw new PemFault(
      `a certificate of ${nameOf(leaf?.subject)} for other purposes (extended key usage ${purposes.join(", ")})`,
      "one for TLS servers (serverAuth)",
    );
  }
  return chain;
}

function checkValidity({ validFrom, validTo, subject }: X509Certificate, index: number, now: number): void {
  const allowed = `one that is valid at ${new Date(now).toISOString()}`;
  const found = `certificate ${index + 1} of ${nameOf(subject)}`;
  if (now > Date.parse(validTo)) {
    throw new PemFault(`${found}, which expired at ${new Date(validTo).toISOString()}`, allowed);
  }
  if (now < Date.parse(validFrom)) {
    throw new PemFault(`${found}, which is not valid before ${new Date(validFrom).toISOString()}`, allowed);
  }
}

function checkKey(keys: readonly string[], leaf: X509Certificate | undefined): void {
  const [pem = "", ...others] = keys;
  if (others.length > 0) throw new PemFault(`${keys.length} private keys`, "one, that of the certificate");
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    if (codeOf(error) === "ERR_MISSING_PASSPHRASE") {
      throw new PemFault(
        "a private key with a passphrase",
        "one without, as `openssl pkey -in FILE -out FILE` writes it",
      );
    }
    throw new PemFault(`a damaged private key (${reasonOf(error)})`, "a private key in PEM");
  }
  if (leaf !== undefined && !leaf.checkPrivateKey(key)) {
    throw new PemFault(
      "the key of another certificate",
      `that of the first certificate in server.tls_cert, ${nameOf(leaf.subject)}`,
    );
  }
}

/** Checks the authorities of clients. Returns when the first of those that are valid expires. */
function checkAuthorities(authorities: readonly X509Certificate[], now: number): number {
  for (const { ca, subject } of authorities) {
    if (!ca)
      throw new PemFault(`the certificate of ${nameOf(subject)}, which is no authority`, "certificates of authorities");
  }
  // A bundle may keep one that has expired beside the one that replaces it.
  const valid = authorities.filter(
    ({ validFrom, validTo }) => now <= Date.parse(validTo) && now >= Date.parse(validFrom),
  );
  if (valid.length === 0) for (const [i, authority] of authorities.entries()) checkValidity(authority, i, now);
  return Math.min(...valid.map(({ validTo }) => Date.parse(validTo)));
}

/** Lets the library that will use them take certificate and key: it refuses more, such as keys that are too short. */
function checkContext({ cert, key, clientCa }: Pick<TlsCredentials, "cert" | "key" | "clientCa">): void {
  try {
    createSecureContext({ cert, key, ca: clientCa });
  } catch (error) {
    throw new PemFault(`a certificate and a key that cannot be used (${reasonOf(error)})`, "a certificate and its key");
  }
}

function nameOf(subject: string | undefined): string {
  return describeValue((subject ?? "").replaceAll("\n", ", "));
}

/** The words of a library: the last part of `error:0c00006d:ASN.1 encoding routines:OPENSSL_internal:DECODE_ERROR`. */
function reasonOf(error: unknown): string {
  return messageOf(error).split(":").at(-1)?.toLowerCase().replaceAll("_", " ") ?? "";
}
