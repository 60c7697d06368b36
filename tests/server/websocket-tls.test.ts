import { expect, setDefaultTimeout, test } from "bun:test";

import { concat, encode, freshSeed, noise, seeded, speech } from "../support/audio.ts";
import { expectAllReadSlowly, Flood, INBOX_BYTES, MANY_RESULTS } from "../support/back-pressure.ts";
import { Authority, credentialsOf } from "../support/certificates.ts";
import { encodeFrame, OPCODE } from "../support/frames.ts";
import { InProcessServer, type Settings } from "../support/in-process-server.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const authority = await Authority.create();
const tls = credentialsOf(await authority.issue());
const secure = { tls: { ca: authority.cert } };
const SIMPLE = { ...secure, path: "/api/v1/simple" };
const MIB = 1024 * 1024;

const start = (settings: Settings = {}): Promise<InProcessServer> => InProcessServer.start(settings, { tls });

test("a stream over TLS has the results of one without, however its records and messages are cut", async () => {
  const seed = freshSeed();
  const random = seeded(seed);
  await using plain = await InProcessServer.start();
  await using encrypted = await start();
  const bytes = encode("s16", concat(speech([0.6, 0.4]), speech([0.5])));
  using reference = await plain.connect();
  await reference.sendStream(bytes);
  const expected = chunkInvariantEvents(reference.events);
  const stop = encodeFrame(OPCODE.text, Buffer.from(JSON.stringify({ request: "stop" })));
  for (const largest of [7, 3_000, 100_000]) {
    using client = await encrypted.connect(secure);
    client.start();
    const frames: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      // Small messages first, then large ones: time is short.
      const size = frames.length > 500 ? bytes.length : 1 + Math.floor(random() * largest);
      frames.push(Buffer.from(encodeFrame(OPCODE.binary, bytes.subarray(at, at + size))));
      at += size;
    }
    const all = Buffer.concat([...frames, stop]);
    // Each write is a record or several; a frame may begin in one and end in another.
    for (let at = 0; at < all.length;) {
      const size = 1 + Math.floor(random() ** 3 * 60_000);
      await client.write(all.subarray(at, at + size));
      at += size;
    }
    await client.nextEvent("stopped");
    expect({ seed, largest, events: chunkInvariantEvents(client.events) }).toEqual({ seed, largest, events: expected });
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
  }
});

test("a client that floods a slow model is paused and resumed, and nothing is lost", async () => {
  await using server = await start({ "model.delay": 0.002, "limits.read_ahead_seconds": 2 });
  const client = await server.connect(SIMPLE);
  client.start();
  const flood = new Flood(client, encode("s16", noise(1)));
  const most = await flood.until(6 * MIB, server);
  const bytes = await flood.stop();
  client.stop();
  await client.nextEvent("stopped");
  expectExactLedger(client.events, { bytes, frameBytes: 2 });
  expect((await server.metrics()).value("streamer_pauses_total")).toBeGreaterThan(1);
  // The limit of the inbox, a message, and what Bun had read and decrypted when it was paused.
  expect(most).toBeLessThan(INBOX_BYTES + 2 * MIB);
});

test("a client that reads slowly but steadily gets all results", async () => {
  await using server = await start(MANY_RESULTS);
  await expectAllReadSlowly(server, SIMPLE, 30);
});

test("a client that reads nothing is closed as a slow reader, and its memory is free", async () => {
  // Ten times as fast: what is not read is waited for, for seconds.
  const clock = (): number => performance.now() * 10;
  const settings = { ...MANY_RESULTS, "limits.slow_reader_ms": 5_000 };
  await using server = await InProcessServer.start(settings, { tls, clock });
  const client = await server.connect(SIMPLE);
  client.start();
  await client.nextEvent("started");
  client.pause();
  const chunk = encodeFrame(OPCODE.binary, encode("s16", noise(10)));
  const sending = (async () => {
    for (let i = 0; i < 400; i++) await client.write(chunk);
  })().catch(() => undefined);
  await waitUntil("the slow reader to be noticed", async () => {
    return (await server.metrics()).value("streamer_sessions_closed_total", { reason: "slow_reader" }) === 1;
  });
  await server.waitUntilIdle();
  client.reset();
  await sending;
});

test("a busy client gets the error, stopped and the close code of a limit, while it goes on sending", async () => {
  await using server = await start({ "limits.session_ms": 1_000, "model.delay": 0.001 });
  const client = await server.connect(SIMPLE);
  client.start();
  const chunk = encodeFrame(OPCODE.binary, encode("s16", noise(0.1)));
  const sending = (async () => {
    while (client.closed === undefined) await client.write(chunk);
  })().catch(() => undefined);
  expect((await client.nextEvent("error", ({ fatal }) => fatal)).code).toBe("session_limit");
  expect((await client.nextEvent("stopped")).reason).toBe("limit");
  expect(await client.waitForClose()).toEqual({ code: 1008, reason: "session_limit" });
  await sending;
  expectExactLedger(client.events);
});

test("an idle client is closed with its error, and one that sends keep_alive is not", async () => {
  let now = 0;
  await using server = await InProcessServer.start({}, { tls, clock: () => now });
  const [idle, alive] = [await server.connect(secure), await server.connect(secure)];
  for (const client of [idle, alive]) client.start();
  for (const client of [idle, alive]) await client.nextEvent("started");
  now = 40_000;
  const received = (await server.metrics()).value("streamer_received_messages_total", { kind: "text" });
  alive.sendText({ request: "keep_alive" });
  await waitUntil("keep_alive to arrive", async () => {
    return (await server.metrics()).value("streamer_received_messages_total", { kind: "text" }) > received;
  });
  now = 61_000;
  expect((await idle.nextEvent("error")).code).toBe("idle_timeout");
  expect(await idle.waitForClose()).toEqual({ code: 1008, reason: "idle_timeout" });
  expect(alive.closed).toBeUndefined();
});

test("a shutdown delivers everything to clients that read late, with other certificates in use meanwhile", async () => {
  await using server = await start({ "simple.block_ms": 20 });
  const clients = [await server.connect(SIMPLE)];
  server.useCredentials(credentialsOf(await authority.issue()));
  clients.push(await server.connect(SIMPLE));
  const bytes = encode("s16", noise(10));
  for (const client of clients) {
    client.start();
    await client.nextEvent("started");
    client.pause();
    await client.sendAudio(bytes);
    client.stop();
  }
  const drained = server.drain();
  await Bun.sleep(200);
  for (const client of clients) client.resume();
  for (const client of clients) {
    await client.nextEvent("stopped");
    expect(client.eventsOf("segment")).toHaveLength(500);
    expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
    expect((await client.waitForClose()).code).toBe(1001);
  }
  await drained;
});

test("a client that ends TLS or TCP in the middle of a stream frees its memory", async () => {
  await using server = await start();
  for (const end of ["halfClose", "reset"] as const) {
    const client = await server.connect(SIMPLE);
    client.start();
    await client.nextEvent("started");
    await client.sendAudio(encode("s16", noise(1)));
    client[end]();
    await server.waitUntilIdle();
  }
  expect(server.logged("stream_stopped")).toHaveLength(2);
});
