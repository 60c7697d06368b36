import { describe, expect, test } from "bun:test";
import { createPrivateKey } from "node:crypto";

import { pemBlocks } from "../../../src/lib/pem-file.ts";
import { checkCredentials, type TlsCredentials, TlsFault } from "../../../src/server/tls/credentials.ts";
import { Authority } from "../../support/certificates.ts";

const authority = await Authority.create("Root");
const intermediate = await authority.intermediate("Intermediate");
const good = await intermediate.issue({ names: ["a.example", "192.0.2.1", "::1"] });
const DAY_MS = 86_400_000;

interface Texts {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

function check({ cert, key, clientCa }: Texts, now = Date.now()): TlsCredentials {
  const files = {
    cert: pemBlocks(cert, "certificate"),
    key: pemBlocks(key, "private key"),
    clientCa: clientCa === undefined ? undefined : pemBlocks(clientCa, "certificate"),
  };
  return checkCredentials(files, now);
}

/** Returns the message of the refusal. */
function refusal(texts: Texts, now?: number): string {
  try {
    check(texts, now);
  } catch (error) {
    if (error instanceof TlsFault) return error.message;
    throw error;
  }
  throw new Error("the credentials were accepted");
}

describe("valid credentials", () => {
  test("have the names, the first expiry of the chain and the fingerprint", () => {
    const credentials = check({ ...good, cert: good.cert + intermediate.cert });
    expect(credentials.names).toContain("DNS:a.example, IP Address:192.0.2.1");
    expect(credentials.fingerprint).toMatch(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(credentials.expiresAt).toBeGreaterThan(Date.now() + 89 * DAY_MS);
    expect(credentials.clientCaExpiresAt).toBeUndefined();
  });

  test("may end with the root, and have text and line ends of Windows between the blocks", () => {
    const chain = [good.cert, intermediate.cert, authority.cert].join("a comment\n").replaceAll("\n", "\r\n");
    expect(check({ cert: chain, key: good.key }).names).toContain("a.example");
  });

  test("may be one file with certificate and key", () => {
    const both = good.key + good.cert;
    expect(check({ cert: both, key: both }).names).toContain("a.example");
  });

  test("expire with the first certificate of the chain", async () => {
    const to = new Date(Math.floor(Date.now() / 1000) * 1000 + 5 * DAY_MS);
    const leaf = await authority.issue({ to });
    expect(check(leaf).expiresAt).toBe(to.getTime());
  });

  test("may have expired authorities of clients beside valid ones", async () => {
    const old = await Authority.create("Old", { from: new Date(0), to: new Date(1_000_000_000_000) });
    const credentials = check({ ...good, clientCa: old.cert + authority.cert });
    expect(credentials.clientCaExpiresAt).toBeGreaterThan(Date.now());
  });
});

describe("refused credentials", () => {
  test("an expired certificate, with the time", async () => {
    const leaf = await authority.issue({ from: new Date(1_600_000_000_000), to: new Date(1_700_000_000_000) });
    expect(refusal(leaf)).toMatch(
      /^server\.tls_cert: found certificate 1 of "CN=Test server", which expired at 2023-11-14T22:13:20\.000Z; allowed: one that is valid at /,
    );
  });

  test("a certificate that is not valid yet", async () => {
    const leaf = await authority.issue({ from: new Date(Date.now() + DAY_MS) });
    expect(refusal(leaf)).toContain("which is not valid before ");
  });

  test("an expired certificate further up in the chain", async () => {
    const now = Date.now() + 80 * DAY_MS;
    const leaf = await intermediate.issue({ to: new Date(now + 30 * DAY_MS) });
    expect(refusal({ ...leaf, cert: leaf.cert + intermediate.cert }, now + 20 * DAY_MS)).toContain(
      'found certificate 2 of "CN=Intermediate", which expired',
    );
  });

  test("a chain in the wrong order", () => {
    expect(refusal({ ...good, cert: intermediate.cert + good.cert })).toContain(
      'server.tls_cert: found certificate 2 of "CN=Test server", which has not signed certificate 1 of "CN=Intermediate"',
    );
  });

  test("a chain with the certificate of another issuer of the same name", async () => {
    const impostor = await authority.intermediate("Intermediate");
    expect(refusal({ ...good, cert: good.cert + impostor.cert })).toContain("which has not signed certificate 1");
  });

  test("a certificate without a subject alternative name", async () => {
    expect(refusal(await authority.issue({ names: [] }))).toMatch(
      /^server\.tls_cert: found a certificate of "CN=Test server" with no subject alternative name; allowed: one with the host names/,
    );
  });

  test("a certificate for clients", async () => {
    expect(refusal(await authority.issue({ client: true }))).toContain(
      "for other purposes (extended key usage 1.3.6.1",
    );
  });

  test("the key of another certificate", async () => {
    const other = await authority.issue();
    expect(refusal({ cert: good.cert, key: other.key })).toBe(
      'server.tls_key: found the key of another certificate; allowed: that of the first certificate in server.tls_cert, "CN=Test server"',
    );
  });

  test("a key with a passphrase, in the new form and the old one", async () => {
    const key = createPrivateKey(good.key);
    const encrypted = { cipher: "aes-128-cbc", passphrase: "secret", format: "pem" } as const;
    for (const type of ["pkcs8", "sec1"] as const) {
      const text = String(key.export({ ...encrypted, type }));
      expect(refusal({ cert: good.cert, key: text })).toMatch(
        /^server\.tls_key: found a private key with a passphrase; allowed: one without/,
      );
    }
  });

  test("two keys", async () => {
    const other = await authority.issue();
    expect(refusal({ cert: good.cert, key: good.key + other.key })).toContain("found 2 private keys; allowed: one");
  });

  test("damaged blocks", () => {
    const damaged = good.cert.replace(/\n.{20}/, "\n");
    expect(refusal({ cert: damaged, key: good.key })).toMatch(
      /^server\.tls_cert: found certificate 1, which is damaged \(.+\)/,
    );
    const key = good.key.replace(/\n.{20}/, "\n");
    expect(refusal({ cert: good.cert, key })).toMatch(/^server\.tls_key: found a damaged private key \(.+\)/);
  });

  test("an authority of clients that is none, and one that has expired", async () => {
    expect(refusal({ ...good, clientCa: good.cert })).toBe(
      'server.tls_client_ca: found the certificate of "CN=Test server", which is no authority; allowed: certificates of authorities',
    );
    const old = await Authority.create("Old", { from: new Date(0), to: new Date(1_000_000_000_000) });
    expect(refusal({ ...good, clientCa: old.cert })).toContain('found certificate 1 of "CN=Old", which expired');
  });

  test("every fault is reported, a line each", async () => {
    const leaf = await authority.issue({ names: [] });
    expect(refusal({ cert: leaf.cert, key: "", clientCa: good.cert }).split("\n")).toHaveLength(3);
  });

  test("no message has a part of the key", async () => {
    const secret = good.key.split("\n")[1] ?? "";
    const key = good.key.replace(/\n.{3}/, "\n");
    const other = await authority.issue();
    for (const texts of [
      { cert: good.cert, key },
      { cert: other.cert, key: good.key },
      { cert: good.key, key: good.key },
    ]) {
      expect(refusal(texts)).not.toContain(secret.slice(4, 24));
    }
  });
});
