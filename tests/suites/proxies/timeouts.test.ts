import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { SETTINGS } from "../../../src/config/config.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { documented, freePort, PROGRAMS, type ProxyKind, replaceEach, ReverseProxy } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { UpgradeRefused, type WebSocketClient } from "../../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Half a second of silence, of which the server reports nothing. */
const SILENCE = new Uint8Array(16_000);
const HOUR_MS = 3_600_000;

/** The directive of docs/proxies.md that keeps silent connections open. */
const TIMEOUTS: Readonly<Record<ProxyKind, string>> = {
  haproxy: "  timeout tunnel 1h\n",
  nginx: "    proxy_read_timeout 1h;\n",
};
/** The configuration without it, and with times that a test can wait for in place of a minute. */
const WITHOUT: Readonly<Record<ProxyKind, readonly [string, string][]>> = {
  haproxy: [
    [TIMEOUTS.haproxy, ""],
    ["timeout client 60s", "timeout client 2s"],
    ["timeout server 10m", "timeout server 2s"],
  ],
  nginx: [[TIMEOUTS.nginx, "    proxy_read_timeout 2s;\n"]],
};

async function configurationFor(kind: ProxyKind, server: InProcessServer): Promise<string> {
  return documented(kind, [server.port, await freePort()]);
}

/** Sends silence, ten messages a second. */
async function sendSilence(client: WebSocketClient, messages: number): Promise<void> {
  for (let i = 0; i < messages && client.closed === undefined; i++) {
    await client.sendAudio(SILENCE);
    await Bun.sleep(100);
  }
}

describe.each(Object.keys(PROGRAMS) as ProxyKind[])("behind %s", (kind) => {
  const run = testWith(PROGRAMS[kind]);

  run("without the documented time-out, a connection without traffic is cut off, one that sends is not", async () => {
    await using server = await InProcessServer.start();
    const configuration = replaceEach(await configurationFor(kind, server), ...WITHOUT[kind]);
    await using proxy = await ReverseProxy.start(kind, configuration);
    using silent = await proxy.connect();
    using sending = await proxy.connect();
    for (const client of [silent, sending]) client.start();
    await sendSilence(sending, 50);
    expect((await silent.waitForClose()).code).toBe(1006);
    sending.stop();
    await sending.nextEvent("stopped");
    expectExactLedger(sending.events, { bytes: 50 * SILENCE.length, frameBytes: 2 });
  });

  run("with it, the server ends idle sessions, with an error", async () => {
    await using server = await InProcessServer.start({ "limits.idle_timeout_ms": 1_000 });
    await using proxy = await ReverseProxy.start(kind, await configurationFor(kind, server));
    using client = await proxy.connect();
    client.start();
    await client.sendAudio(SILENCE);
    expect((await client.waitForClose()).code).toBe(1008);
    expect(client.eventsOf("error")).toMatchObject([{ code: "idle_timeout" }]);
    expectExactLedger(client.events, { bytes: SILENCE.length, frameBytes: 2 });
  });

  test("the documented time-out is longer than the idle time-out of the server", () => {
    expect(documented(kind, [1, 2])).toContain(TIMEOUTS[kind]);
    expect(HOUR_MS).toBeGreaterThan(2 * SETTINGS.limits.idle_timeout_ms.default);
  });
});

testWith(PROGRAMS.nginx)("nginx that does not pass the upgrade on gets a refusal that says so", async () => {
  await using server = await InProcessServer.start();
  const lines = ["    proxy_http_version 1.1;\n", "    proxy_set_header Upgrade $http_upgrade;\n"];
  const configuration = replaceEach(
    await configurationFor("nginx", server),
    ...lines.map((line): [string, string] => [line, ""]),
    ["    proxy_set_header Connection $connection_upgrade;\n", ""],
  );
  await using proxy = await ReverseProxy.start("nginx", configuration);
  const refusal = await proxy.connect().catch((error: unknown) => error);
  if (!(refusal instanceof UpgradeRefused)) throw new Error("the connection was not refused");
  expect(refusal.status).toBe(426);
  expect(JSON.parse(refusal.body)).toMatchObject({ code: "upgrade_required" });
  expect(refusal.body).toContain("a proxy in between must pass both on");
});
