// The x509 library needs it.
import "reflect-metadata";

import * as x509 from "@peculiar/x509";

import { checkCredentials, type TlsCredentials } from "../../src/server/tls/credentials.ts";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;

/** A certificate and its key, in PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** Host names and addresses in the subject alternative name; default localhost and 127.0.0.1. Empty: there is none. */
  readonly names?: readonly string[];
  readonly subject?: string;
  /** Default: a day ago, and in 90 days. */
  readonly from?: Date;
  readonly to?: Date;
  /** For clients, not for servers. */
  readonly client?: boolean;
}

/** Returns a certificate of a server as the server uses it. */
export function credentialsOf({ cert, key }: Issued, clientCa?: string): TlsCredentials {
  const files = { cert: [cert], key: [key], clientCa: clientCa === undefined ? undefined : [clientCa] };
  return checkCredentials(files, Date.now());
}

/** An authority that issues certificates for tests. Its key and certificates are made anew each time. */
export class Authority {
  readonly cert: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;

  static async create(subject = "Test authority", options: Pick<IssueOptions, "from" | "to"> = {}): Promise<Authority> {
    const keys = await generateKeys();
    const name = `CN=${subject}`;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      ...validity(options),
      serialNumber: serialNumber(),
      name,
      keys,
      signingAlgorithm: EC,
      extensions: await authorityExtensions(keys.publicKey),
    });
    return new Authority(certificate, keys);
  }

  private constructor(certificate: x509.X509Certificate, keys: CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.cert = pemOf(certificate);
  }

  /** Creates an authority below this one. */
  async intermediate(subject = "Test intermediate"): Promise<Authority> {
    const keys = await generateKeys();
    const extensions = await authorityExtensions(keys.publicKey);
    return new Authority(await this.#sign(subject, keys.publicKey, {}, extensions), keys);
  }

  /** Issues a certificate of a server, or of a client. */
  async issue(options: IssueOptions = {}): Promise<Issued> {
    const { names = ["localhost", "127.0.0.1"], subject = "Test server", client = false } = options;
    const keys = await generateKeys();
    const general = names.map((value) => ({
      type: /^[\d.]+$|:/.test(value) ? ("ip" as const) : ("dns" as const),
      value,
    }));
    const purpose = client ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
    const extensions = [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([purpose]),
      ...(general.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(general)]),
    ];
    const cert = pemOf(await this.#sign(subject, keys.publicKey, options, extensions));
    const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    return { cert, key: `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n` };
  }

  async #sign(
    subject: string,
    publicKey: CryptoKey,
    options: IssueOptions,
    extensions: x509.Extension[],
  ): Promise<x509.X509Certificate> {
    return await x509.X509CertificateGenerator.create({
      ...validity(options),
      serialNumber: serialNumber(),
      subject: `CN=${subject}`,
      issuer: this.#certificate.subject,
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: EC,
      extensions: [...extensions, await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey)],
    });
  }
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
}

async function authorityExtensions(publicKey: CryptoKey): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

function validity({ from, to }: Pick<IssueOptions, "from" | "to">): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: from ?? new Date(now - DAY_MS), notAfter: to ?? new Date(now + 90 * DAY_MS) };
}

/** Positive: the first digit of the most significant byte is 0 to 7. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = (bytes[0]! & 0x7f) | 0x01;
  return bytes.toHex();
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}
