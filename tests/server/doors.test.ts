import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { freePort } from "../support/proxies.ts";
import { UpgradeRefused, WebSocketClient } from "../support/websocket-client.ts";
import { eventBytes, WyomingClient } from "../support/wyoming-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = await mkdtemp(join(tmpdir(), "streamer-doors-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A token file with a principal `home`, which may have one session, and the token. */
async function tokenFile(): Promise<{ path: string; token: string }> {
  const token = newToken();
  const path = join(folder, `${crypto.randomUUID()}.txt`);
  const hash = hashToken(token).toString("hex");
  await writeFile(path, `${formatTokenLine({ name: "home", hash, sessions: 1, admin: false })}\n`, { mode: 0o600 });
  return { path, token };
}

async function status(port: number, headers: Record<string, string> = {}): Promise<number> {
  try {
    (await WebSocketClient.connect(port, { path: "/", headers }))[Symbol.dispose]();
    return 101;
  } catch (error) {
    if (error instanceof UpgradeRefused) return error.status;
    throw error;
  }
}

describe("the front page", () => {
  test("is a page, and a session of vosk-server for whoever asks for an upgrade", async () => {
    await using server = await InProcessServer.start();
    const page = await server.fetch("/");
    expect([page.status, await page.text()]).toEqual([200, expect.stringMatching(/vosk {2}ws:\/\//)]);
    expect(await status(server.port)).toBe(101);
    expect((await server.fetch("/", { method: "HEAD" })).status).toBe(200);
    // As curl --http2 does.
    const other = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" };
    expect((await server.fetch("/", { headers: other })).status).toBe(200);
    await server.waitUntilIdle();
  });

  test("is public when tokens are needed, but the session at its path is not", async () => {
    const { path, token } = await tokenFile();
    await using server = await InProcessServer.start({ "auth.tokens": path });
    expect((await server.fetch("/")).status).toBe(200);
    expect(await status(server.port)).toBe(401);
    expect(await status(server.port, { Authorization: `Bearer ${token}` })).toBe(101);
  });

  test("is no session when the dialect is off", async () => {
    await using server = await InProcessServer.start({ "dialects.enabled": "streamer" });
    const page = await server.fetch("/", { headers: { upgrade: "websocket", connection: "upgrade" } });
    expect(page.status).toBe(200);
  });
});

describe("the ports of dialects", () => {
  test("for vosk-server has sessions, and none of the other dialects", async () => {
    const port = await freePort();
    await using server = await InProcessServer.start({ "vosk.port": port });
    using client = await WebSocketClient.connect(port, { path: "/" });
    expect(server.sessions).toBe(1);
    await expect(WebSocketClient.connect(port)).rejects.toBeInstanceOf(UpgradeRefused);
    client.reset();
    await server.waitUntilIdle();
  });

  test("for Wyoming count their clients as the principal that is configured, with its limits", async () => {
    const { path } = await tokenFile();
    const port = await freePort();
    const settings = { "auth.tokens": path, "wyoming.port": port, "wyoming.principal": "home" };
    await using server = await InProcessServer.start(settings);
    using client = await WyomingClient.connect(port);
    client.write(eventBytes("ping"));
    await client.event("pong");
    expect(server.logged("session_opened")).toMatchObject([{ dialect: "wyoming", caller: "home" }]);
    using other = await WyomingClient.connect(port);
    expect((await other.event("error")).data["code"]).toBe("too_many_sessions");
  });

  test("for Wyoming refuse everybody while there is no token of that name", async () => {
    const { path } = await tokenFile();
    const port = await freePort();
    const settings = { "auth.tokens": path, "wyoming.port": port, "wyoming.principal": "nobody" };
    await using server = await InProcessServer.start(settings);
    using client = await WyomingClient.connect(port);
    expect((await client.event("error")).data["code"]).toBe("unauthorized");
    expect(server.logged("unauthorized")).toMatchObject([{ reason: "unknown_token", caller: "nobody" }]);
  });
});
