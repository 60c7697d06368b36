import { expect, setDefaultTimeout, test } from "bun:test";

import { encode } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { onlyStream } from "../support/ledgers.ts";
import { modelPath } from "../support/pool-harness.ts";
import { S16_MONO } from "../support/requests.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const PATH = "/api/v1/stateful";
const SETTINGS = { "model.name": modelPath("pinned"), "model.workers": 2, "model.max_streams_per_worker": 2 };
/** Half a second: five blocks. */
const AUDIO = encode("s16", new Float32Array(8_000).fill(0.25));

async function connect(server: InProcessServer, channels = 1): Promise<WebSocketClient> {
  const client = await server.connect({ path: PATH });
  client.start({ format: { ...S16_MONO, channels } });
  return client;
}

async function open(server: InProcessServer, channels = 1): Promise<WebSocketClient> {
  const client = await connect(server, channels);
  await client.nextEvent("started");
  return client;
}

async function stop(client: WebSocketClient): Promise<void> {
  client.stop({ disconnect: true });
  await client.waitForClose();
  expect(onlyStream(client.events).stopped.channels).toMatchObject([{ failed: 0, errors: 0 }]);
}

async function places(server: InProcessServer): Promise<[open: number, limit: number]> {
  const metrics = await server.metrics();
  return [metrics.value("streamer_model_pinned_streams"), metrics.value("streamer_model_pinned_streams_limit")];
}

test("a start for which the workers of a pinned model have no room is refused as a whole, until streams have ended", async () => {
  await using server = await InProcessServer.start(SETTINGS);
  // They connect while there is room.
  const late = await server.connect({ path: PATH });
  const first = await open(server);
  const second = await open(server, 2);
  expect(await places(server)).toEqual([3, 4]);
  late.start({ format: { ...S16_MONO, channels: 2 } });
  expect(await late.nextEvent("error")).toMatchObject({
    code: "overloaded",
    retryable: true,
    fatal: false,
    retry_after_ms: expect.any(Number),
    message: 'model "pinned" has 3 of 4 streams open (max_streams_per_worker)',
  });
  expect(await places(server)).toEqual([3, 4]);
  expect((await server.metrics()).value("streamer_overload_refusals_total", { resource: "streams" })).toBe(1);
  expect(server.logged("overloaded")).toMatchObject([{ resource: "streams", needed: 5, allowed: 4, stage: "start" }]);
  await second.sendAudio(AUDIO);
  second.stop({ disconnect: true });
  await second.waitForClose();
  late.clearMessages();
  late.start({ format: { ...S16_MONO, channels: 2 } });
  await late.nextEvent("started");
  await first.sendAudio(AUDIO);
  await stop(first);
});

test("more channels than all workers of a pinned model may have are refused by their format", async () => {
  await using server = await InProcessServer.start(SETTINGS);
  const client = await connect(server, 5);
  expect(await client.nextEvent("error")).toMatchObject({
    code: "unsupported_format",
    param: "format.channels",
    message: 'format.channels: found 5; allowed: at most 4, for which the workers of model "pinned" have room',
  });
});

test("streams of a pinned model end on the generation that they began with, which has room of its own", async () => {
  await using server = await InProcessServer.start({
    ...SETTINGS,
    "model.workers": 1,
    "model.max_streams_per_worker": 1,
  });
  const old = await open(server);
  await old.sendAudio(AUDIO);
  await waitUntil("results", () => old.events.filter(({ type }) => type === "segment").length === 5);
  expect(await server.reload()).toMatchObject([{ result: "loaded", earlier: [{ generation: 1, streams: 1 }] }]);
  const next = await open(server);
  expect(await places(server)).toEqual([2, 2]);
  await next.sendAudio(AUDIO);
  await old.sendAudio(AUDIO);
  await Promise.all([stop(old), stop(next)]);
  const last = (client: WebSocketClient): unknown => client.events.findLast(({ type }) => type === "data");
  expect([last(old), last(next)]).toMatchObject([{ total: 16_000 }, { total: 8_000 }]);
  expect([old, next].flatMap(({ events }) => events.filter(({ type }) => type === "warning"))).toEqual([]);
  await waitUntil("the end of the earlier generation", async () => (await places(server))[1] === 1);
});
