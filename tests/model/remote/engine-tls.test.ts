import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { OipHttp } from "../../../src/model/remote/oip-http.ts";
import type { EngineAddress, TransportOptions } from "../../../src/model/remote/transport.ts";
import { Authority, type Issued } from "../../support/certificates.ts";
import { FINAL, loadRemote } from "../../support/engines/loaded-remote.ts";

let authority: Authority;
let server: Issued;
let client: Issued;
const folder = mkdtempSync(join(tmpdir(), "engine-tls-"));
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(async () => {
  authority = await Authority.create();
  server = await authority.issue({ names: ["engines.test", "127.0.0.1"] });
  client = await authority.issue({ client: true });
});

const ANSWER = { outputs: [{ name: "text", datatype: "BYTES", shape: [1], data: ["hello"] }] };

/** Starts an engine with TLS on loopback. @param mutual it requires a certificate of the client */
function startEngine(mutual = false) {
  const tls = { ...server, ...(mutual && { ca: authority.cert, requestCert: true, rejectUnauthorized: true }) };
  return Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => Response.json(ANSWER) });
}

async function infer(address: EngineAddress, tls: TransportOptions["tls"]): Promise<unknown> {
  const options = { headers: () => ({}), connectTimeoutMs: 60_000, maxAnswerBytes: 10_000, encoding: "json" } as const;
  const transport = new OipHttp({ ...options, ...(tls && { tls }) });
  const { signal } = new AbortController();
  try {
    const { outputs } = await transport.infer(address, { model: "m", inputs: [] }, { signal });
    return outputs[0]?.data;
  } finally {
    transport.close();
  }
}

test("the certificate of an engine must be of an authority that is configured", async () => {
  await using engine = startEngine();
  const url = `https://127.0.0.1:${engine.port}`;
  expect(await infer({ url }, { ca: authority.cert })).toEqual(["hello"]);
  await expect(infer({ url }, undefined)).rejects.toMatchObject({ fault: "refused" });
});

test("the certificate of an address that was looked up must be that of the name", async () => {
  await using engine = startEngine();
  const url = `https://127.0.0.1:${engine.port}`;
  const tls = { ca: authority.cert };
  expect(await infer({ url, hostName: `engines.test:${engine.port}` }, tls)).toEqual(["hello"]);
  await expect(infer({ url, hostName: "others.test" }, tls)).rejects.toMatchObject({ fault: "refused" });
});

test("a certificate is shown to an engine that asks for one, from the files that are configured", async () => {
  await using engine = startEngine(true);
  const files = { tls_ca: authority.cert, tls_cert: client.cert, tls_key: client.key };
  const settings = Object.fromEntries(
    Object.entries(files).map(([name, pem]) => {
      const path = join(folder, `${name}.pem`);
      writeFileSync(path, pem);
      return [name, path];
    }),
  );
  await using loaded = await loadRemote([`https://127.0.0.1:${engine.port}`], settings);
  expect(await loaded.stateless.infer(new Float32Array(1), FINAL)).toEqual({ text: "hello" });
});

test("a file that has no certificate is an error with the name of its setting", async () => {
  const path = join(folder, "empty.pem");
  writeFileSync(path, "");
  await expect(loadRemote(["https://127.0.0.1:1"], { tls_ca: path })).rejects.toThrow(
    `tls_ca: found "${path}", which is empty; allowed: a file with a certificate in PEM`,
  );
});
