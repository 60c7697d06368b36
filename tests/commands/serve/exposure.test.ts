import { expect, test } from "bun:test";

import { warnOfExposure } from "../../../src/commands/serve/exposure.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";

async function warnings(settings: Settings): Promise<unknown[]> {
  const warned: unknown[] = [];
  await warnOfExposure(configure(settings), { warn: (event, fields) => void warned.push([event, fields?.["host"]]) });
  return warned;
}

test("an address beyond loopback is warned of while nobody needs a token or a certificate", async () => {
  for (const host of ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"]) {
    expect(await warnings({ "server.host": host })).toEqual([["open_to_everybody", host]]);
    expect(await warnings({ "server.host": host, "auth.tokens": "tokens.txt" })).toEqual([]);
    expect(await warnings({ "server.host": host, "server.tls_client_ca": "clients.pem" })).toEqual([]);
  }
});

test("loopback is not warned of, in any spelling; a name that leads nowhere may be any address", async () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"]) {
    expect([host, await warnings({ "server.host": host })]).toEqual([host, []]);
  }
  expect(await warnings({ "server.host": "nowhere.invalid" })).toHaveLength(1);
});
