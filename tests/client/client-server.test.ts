import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { connect } from "../../src/client/client.ts";
import { LedgerCheck } from "../../src/client/ledger.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { FORMAT } from "../support/wire.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** The client library and a real server. */

test("several streams on one connection each end with a correct ledger", async () => {
  await using server = await InProcessServer.start();
  const url = `ws://localhost:${server.port}/api/v1/simple`;
  using client = await connect(url, { format: FORMAT });
  for (const [stream, bytes] of [
    [0, 32_000],
    [1, 4_801],
    [2, 0],
  ] as const) {
    if (stream > 0) client.start({ format: FORMAT });
    const started = await client.started();
    expect(started.stream).toBe(stream);
    const check = new LedgerCheck(started.sample_rate);
    for (let at = 0; at < bytes; at += 999) await client.send(new Uint8Array(Math.min(999, bytes - at)));
    client.stop();
    for await (const { event } of client.events) {
      check.add(event);
      if (event.type !== "stopped") continue;
      const sent = { bytes: client.sentBytes, frameBytes: 2, channels: 1, sampleRate: 16_000, modelRate: 16_000 };
      expect(check.problems(event, sent)).toEqual([]);
      break;
    }
  }
});

test("a start within a stream ends it, and its results and ledger come first", async () => {
  await using server = await InProcessServer.start();
  using client = await connect(`ws://localhost:${server.port}/api/v1/simple`, { format: FORMAT });
  await client.send(new Uint8Array(16_000));
  client.start({ format: FORMAT });
  expect((await client.started()).stream).toBe(1);
  client.stop({ disconnect: true });
  const events: string[] = [];
  for await (const { event } of client.events) {
    events.push(event.type === "stopped" ? `stopped ${event.reason}` : event.type);
  }
  expect(events).toEqual(["started", "segment", "stopped restart", "started", "stopped stop"]);
});

test("a token is shown in a header, a ticket in a subprotocol, and both are admitted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-client-"));
  const file = join(folder, "tokens");
  const token = newToken();
  const hash = hashToken(token).toString("hex");
  await writeFile(file, formatTokenLine({ name: "client", hash, admin: false }), { mode: 0o600 });
  try {
    await using server = await InProcessServer.start({ "auth.tokens": file });
    const url = `ws://localhost:${server.port}/api/v1/simple`;
    const headers = { Authorization: `Bearer ${token}` };
    const response = await server.fetch("/api/v1/tickets", { method: "POST", headers });
    const { ticket } = (await response.json()) as { ticket: string };
    for (const credentials of [{ token }, { ticket }]) {
      using client = await connect(url, { format: FORMAT }, { credentials, headers: { "X-Other": "1" } });
      expect(await client.started()).toMatchObject({ type: "started" });
    }
    for (const credentials of [{}, { ticket }, { token: newToken() }]) {
      const refused = connect(url, { format: FORMAT }, { credentials });
      expect(await refused.catch((error: unknown) => error)).toMatchObject({ code: "cannot_connect" });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
