/** How a client uses TLS. Certificates and keys are texts in PEM. */
export interface ClientTls {
  /** The authorities that are trusted, in the place of the well-known ones. */
  readonly ca?: string | undefined;
  /** The client's own certificate, with those of its issuers, and its key: for servers that require one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** True: the certificate of the server is not checked, so that anybody in between can read and change everything. */
  readonly insecure?: boolean | undefined;
}

/** Returns the options of Bun and Node.js. Bun 1.4.5 takes an object without any for no TLS at all. */
export function tlsOptions({ ca, cert, key, insecure }: ClientTls = {}): {
  rejectUnauthorized: boolean;
  ca?: string;
  cert?: string;
  key?: string;
} {
  return {
    rejectUnauthorized: insecure !== true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** What is wrong with a connection. */
export type TlsFaultKind =
  "authority" | "name" | "expired" | "purpose" | "plain" | "certificate_required" | "certificate_refused" | "version";

export interface TlsFault {
  readonly kind: TlsFaultKind;
  readonly message: string;
}

/** The codes and words of Node.js and OpenSSL, Bun and BoringSSL, and what they mean. */
const FAULTS: readonly (readonly [RegExp, TlsFaultKind, string])[] = [
  [/does not match certificate/i, "name", "the certificate of the server is for another name"],
  [/certificate has expired/i, "expired", "the certificate of the server has expired"],
  [/certificate is not yet valid/i, "expired", "the certificate of the server is not valid yet"],
  [/unsupported certificate purpose/i, "purpose", "the certificate of the server is not one for servers"],
  [
    /self.signed certificate|unable to (?:get|verify)|unknown certificate authority/i,
    "authority",
    "the certificate of the server is not of an authority that is trusted",
  ],
  [/WRONG[_ ]VERSION[_ ]NUMBER|packet length too long/i, "plain", "the server there does not speak TLS"],
  [/CERTIFICATE[_ ]REQUIRED/i, "certificate_required", "the server requires a certificate of the client"],
  // TLS 1.2 has no alert of its own for a missing certificate.
  [
    /ALERT[_ ]HANDSHAKE[_ ]FAILURE/i,
    "certificate_required",
    "the server ended the handshake: it may require a certificate",
  ],
  [
    /ALERT[_ ](?:UNKNOWN[_ ]CA|BAD[_ ]CERTIFICATE|CERTIFICATE[_ ]\w+|UNSUPPORTED[_ ]CERTIFICATE)/i,
    "certificate_refused",
    "the server refused the certificate of the client",
  ],
  [
    /ALERT[_ ]PROTOCOL[_ ]VERSION|PROTOCOL_VERSION|UNSUPPORTED[_ ]PROTOCOL/i,
    "version",
    "the server has no version of TLS that this client has",
  ],
];

/** Returns what the message of a failed connection means; undefined: it is not about TLS. */
export function findTlsFault(message: string): TlsFault | undefined {
  const found = FAULTS.find(([pattern]) => pattern.test(message));
  if (found === undefined) return undefined;
  const [, kind, text] = found;
  const names = kind === "name" ? /cert's (?:altnames|list): (.+)$/.exec(message)?.[1] : undefined;
  return { kind, message: names === undefined ? text : `${text}: ${names.trim()}` };
}
