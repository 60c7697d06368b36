import { expect, test } from "bun:test";

import { loadCredentials } from "../../../src/server/tls/tls-files.ts";

const none = { tls_cert: "none", tls_key: "none", tls_client_ca: "none" };

async function refusal(settings: Partial<typeof none>): Promise<string> {
  const outcome = await loadCredentials({ ...none, ...settings }, 0).catch((error: Error) => error.message);
  return typeof outcome === "string" ? outcome : "accepted";
}

test("without files there is no TLS", async () => {
  expect(await loadCredentials(none, 0)).toBeUndefined();
});

test("a certificate needs a key, a key a certificate, and authorities of clients both", async () => {
  expect(await refusal({ tls_cert: "a.crt" })).toBe(
    "server.tls_key: found none; allowed: a file, because server.tls_cert has one",
  );
  expect(await refusal({ tls_key: "a.key" })).toBe(
    "server.tls_cert: found none; allowed: a file, because server.tls_key has one",
  );
  expect(await refusal({ tls_client_ca: "ca.pem" })).toBe(
    "server.tls_cert: found none; allowed: a file, because server.tls_client_ca has one",
  );
});

test("all files that cannot be read are reported", async () => {
  const message = await refusal({ tls_cert: "no/cert.pem", tls_key: "no/key.pem", tls_client_ca: "no/ca.pem" });
  expect(message.split("\n")).toEqual([
    'server.tls_cert: found "no/cert.pem", which does not exist; allowed: a file with a certificate in PEM',
    'server.tls_key: found "no/key.pem", which does not exist; allowed: a file with a private key in PEM',
    'server.tls_client_ca: found "no/ca.pem", which does not exist; allowed: a file with a certificate in PEM',
  ]);
});
