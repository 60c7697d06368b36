import { expect, setDefaultTimeout, test } from "bun:test";

import { InProcessServer } from "../support/in-process-server.ts";
import { S16_MONO } from "../support/requests.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";
import { UpgradeRefused, type WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Of 64 slabs, streams begin up to 51. A channel of speech is expected to need 5. */
const SMALL = { "limits.arena_mb": 1, "limits.admission.arena": 0.8 };

async function streaming(server: InProcessServer, channels = 1): Promise<WebSocketClient> {
  const client = await server.connect();
  client.start({ format: { ...S16_MONO, channels } });
  await client.nextEvent("started");
  return client;
}

test("a connection that the memory has no room for is refused before the upgrade, with the time to try again", async () => {
  await using server = await InProcessServer.start(SMALL);
  const clients = await Promise.all(Array.from({ length: 10 }, () => streaming(server)));
  const refused: unknown = await server.connect().catch((error: unknown) => error);
  if (!(refused instanceof UpgradeRefused)) throw new Error("the eleventh stream was admitted");
  expect(refused.status).toBe(503);
  const error = JSON.parse(refused.body) as { retry_after_ms: number };
  expect(error).toMatchObject({ type: "error", code: "overloaded", fatal: true, retryable: true });
  expect(error.retry_after_ms).toBeGreaterThanOrEqual(1_000);
  expect(Number(refused.headers.get("retry-after"))).toBe(Math.ceil(error.retry_after_ms / 1_000));
  expect(server.logged("overloaded")[0]).toMatchObject({ level: "warning", resource: "memory", stage: "upgrade" });
  const metrics = await ScrapedMetrics.from(server.url);
  expect(metrics.value("streamer_overload_refusals_total", { resource: "memory", stage: "upgrade" })).toBe(1);
  expect(metrics.value("streamer_sessions_refused_total", { reason: "overloaded" })).toBe(1);
  clients[0]!.sendClose();
  await waitUntil("the session to be closed", () => server.sessions === 9);
  await waitUntil("the room of the stream that has left", () =>
    streaming(server).then(
      () => true,
      () => false,
    ),
  );
});

test("a start that the memory has no room for is refused, the connection stays open, and a smaller one is accepted", async () => {
  await using server = await InProcessServer.start(SMALL);
  await streaming(server);
  const client = await server.connect();
  client.start({ format: { ...S16_MONO, channels: 16 } });
  const error = await client.nextEvent("error");
  expect(error).toMatchObject({ code: "overloaded", fatal: false, retryable: true });
  expect(error).toHaveProperty("retry_after_ms");
  client.start();
  await client.nextEvent("started");
  const metrics = await ScrapedMetrics.from(server.url);
  expect(metrics.value("streamer_overload_refusals_total", { resource: "memory", stage: "start" })).toBe(1);
  expect(metrics.value("streamer_streams_refused_total", { reason: "overloaded" })).toBe(1);
});

test("connections that have not started a stream count, and a stream that is alone is always accepted", async () => {
  await using server = await InProcessServer.start(SMALL);
  await streaming(server, 16).then((client) => client.sendClose());
  await waitUntil("the session to be closed", () => server.sessions === 0);
  const waiting = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
  expect(await server.connect().catch((error: unknown) => error)).toBeInstanceOf(UpgradeRefused);
  for (const client of waiting) {
    client.start();
    await client.nextEvent("started");
  }
});

test("a slow model admits as many streams as its workers carry, before any of them has spoken", async () => {
  await using server = await InProcessServer.start({
    "model.name": "simulated",
    "model.delay": 0.5,
    "model.workers": 2,
    "limits.admission.load": 0.85,
  });
  const path = "/api/v1/simple";
  const results = await Promise.allSettled(Array.from({ length: 30 }, () => server.connect({ path })));
  const admitted = results.filter(({ status }) => status === "fulfilled");
  expect(admitted.length).toBeGreaterThanOrEqual(1);
  expect(admitted.length).toBeLessThanOrEqual(16);
});
