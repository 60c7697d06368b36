// Deepgram's streaming API on the wire. Its SDKs are in tests/suites/interop.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { refusalSchema } from "../../src/dialects/deepgram/messages.ts";
import { encode, speech, wav } from "../support/audio.ts";
import { DeepgramClient } from "../support/deepgram-client.ts";
import { sharedExecutable } from "../support/executable.ts";
import { InProcessServer, type Settings, sharedServer } from "../support/in-process-server.ts";
import { ProcessesServer } from "../support/processes.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const QUERY = "encoding=linear16&sample_rate=16000";
const AUDIO = encode("s16", speech([1.2, 1]));
const words = { "model.name": join(import.meta.dir, "../support/models/words.ts") };
const server = await sharedServer(words);
const executable = await sharedExecutable();

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** Returns a line of a file of tokens: one channel. */
function lineOf(name: string, token: string): string {
  const hash = hashToken(token).toString("hex");
  return `${formatTokenLine({ name, hash, admin: false, channels: 1 })}\n`;
}

/** Returns status and body of a refused upgrade. */
async function refused(of: InProcessServer, query: string, headers: Record<string, string> = {}) {
  const response = await of.fetch(`/v1/listen?${query}`, { headers: { ...UPGRADE, ...headers } });
  const { err_code, err_msg } = v.parse(refusalSchema, await response.json());
  return [response.status, err_code, err_msg];
}

describe("a conversation", () => {
  test("ends with every result, then Metadata, then close 1000; the ledger is in the log", async () => {
    using client = await DeepgramClient.connect(server.url, `${QUERY}&vad_events=true`);
    client.audio(AUDIO);
    expect(await client.close()).toEqual({ code: 1000, reason: "" });
    expect(client.finals.map(({ channel }) => channel.alternatives[0]?.transcript)).toEqual([
      "turn left here",
      "turn left here",
    ]);
    expect(client.finals.map(({ speech_final, from_finalize }) => [speech_final, from_finalize])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(client.messages.at(-1)).toMatchObject({ type: "Metadata", duration: AUDIO.length / 32_000, channels: 1 });
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "deepgram", pattern: "segmented" });
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({
      reason: "stop",
      ledger: [{ failed: 0, segments: 2 }],
    });
    const metrics = await server.metrics();
    expect(metrics.value("streamer_sessions_opened_total", { dialect: "deepgram", pattern: "segmented" })).toBe(1);
  });

  test("has the results of its channels under their numbers", async () => {
    using client = await DeepgramClient.connect(server.url, "encoding=linear32&sample_rate=48000&channels=2");
    const rate = 48_000;
    client.audio(encode("f32", speech([1], { rate }), speech([1], { rate, seed: 7 })), 9_600);
    await client.close();
    expect(client.finals.map(({ channel_index }) => channel_index).sort()).toEqual([
      [0, 2],
      [1, 2],
    ]);
  });

  test("may be a WAV file without any word about its format", async () => {
    using client = await DeepgramClient.connect(server.url, "model=nova-3");
    client.audio(wav({ channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false }, AUDIO), 20);
    expect((await client.close()).code).toBe(1000);
    expect(client.finals).toHaveLength(2);
  });

  test("with audio of another kind, or none, ends with what that is", async () => {
    using nothing = await DeepgramClient.connect(server.url, "");
    expect((await nothing.close()).code).toBe(1000);
    expect(nothing.messages).toMatchObject([{ type: "Metadata", duration: 0 }]);
    using foreign = await DeepgramClient.connect(server.url, "");
    foreign.audio(Buffer.from("OggS, or so it says"));
    const { code, reason } = await foreign.end();
    expect([code, reason.slice(0, 10)]).toEqual([1008, "DATA-0000:"]);
  });

  test("has the answer to Finalize while audio goes on", async () => {
    using client = await DeepgramClient.connect(server.url, QUERY);
    client.audio(AUDIO.subarray(0, 48_000));
    client.control("Finalize");
    await client.until("the answer to Finalize", () => client.finals.length > 0);
    expect(client.finals).toMatchObject([{ from_finalize: true, speech_final: true }]);
    client.control("Finalize");
    await client.until("the answer to the other", () => client.finals.length > 1);
    expect(client.finals[1]).toMatchObject({ from_finalize: true, channel: { alternatives: [{ transcript: "" }] } });
    await client.close();
  });

  test("has the end of an utterance behind its result", async () => {
    using client = await DeepgramClient.connect(server.url, `${QUERY}&utterance_end_ms=1000&endpointing=300`);
    client.audio(encode("s16", speech([1])));
    client.audio(new Uint8Array(64_000));
    await client.close();
    expect(client.messages.map(({ type }) => type)).toEqual(["Results", "UtteranceEnd", "Metadata"]);
  });

  test("ends with its results, Metadata and close 1001 when the server is shut down", async () => {
    await using stopping = await InProcessServer.start({ ...words, "limits.drain": "now" });
    using client = await DeepgramClient.connect(stopping.url, QUERY);
    // The last utterance is open.
    client.audio(encode("s16", speech([1.2, 1])).subarray(0, -19_200));
    await client.until("the first result", () => client.finals.length > 0);
    await stopping.drain();
    expect(await client.end()).toEqual({ code: 1001, reason: "" });
    expect(client.finals).toHaveLength(2);
    expect(client.messages.at(-1)).toMatchObject({ type: "Metadata", channels: 1 });
    expect(stopping.logged("session_closed")).toMatchObject([{ code: 1001 }]);
  });

  test("goes on when a worker dies: its errors come before the answer to Finalize, which then has no text", async () => {
    const model = join(import.meta.dir, "../support/models/mortal.ts");
    await using deadly = await InProcessServer.start({ "model.name": model, "model.rate": 1 });
    using client = await DeepgramClient.connect(deadly.url, QUERY);
    client.audio(AUDIO);
    client.control("Finalize");
    client.control("Finalize");
    expect((await client.close()).code).toBe(1000);
    const told = client.messages.map((message) => {
      return message.type === "Results"
        ? [message.channel.alternatives[0]?.transcript, message.from_finalize]
        : message.type;
    });
    expect(told).toEqual(["Error", "Error", ["", true], ["", true], "Metadata"]);
    expect(deadly.logged("stream_stopped")).toMatchObject([{ ledger: [{ inferred: 0, segments: 0 }] }]);
  });

  test("has the blocks of a model with state, and as many answers as Finalize, also without any audio between", async () => {
    const model = join(import.meta.dir, "../support/models/keeping.ts");
    await using keeping = await InProcessServer.start({ "model.name": model });
    using client = await DeepgramClient.connect(keeping.url, `${QUERY}&interim_results=true&utterance_end_ms=1000`);
    client.control("Finalize");
    client.audio(AUDIO.subarray(0, 32_100));
    for (let n = 0; n < 3; n++) client.control("Finalize");
    client.audio(AUDIO.subarray(32_100), 1_600);
    expect((await client.close()).code).toBe(1000);
    const texts = client.results.map(({ channel }) => channel.alternatives[0]?.transcript).filter(Boolean);
    expect(texts.slice(0, 2)).toEqual(["block=0", "block=1"]);
    expect(texts.at(-1)).toBe(`blocks=${texts.length - 1}`);
    expect(client.finals.filter(({ from_finalize }) => from_finalize)).toHaveLength(4);
    expect(client.finals).toHaveLength(client.results.length);
  });

  test("shows the model's fields where it has no text", async () => {
    await using simulated = await InProcessServer.start();
    using client = await DeepgramClient.connect(simulated.url, QUERY);
    client.audio(AUDIO);
    await client.close();
    expect(client.finals[0]?.channel.alternatives[0]?.transcript).toMatch(/\bcount=\d+\b/);
  });
});

test("several processes end the conversations of each of them with Metadata and close 1001", async () => {
  const settings = { "limits.drain": "now", "server.processes": 2 };
  await using server = await ProcessesServer.start(executable, settings);
  const clients = await Promise.all(Array.from({ length: 8 }, () => DeepgramClient.connect(server.server.url, QUERY)));
  // The last utterance is open.
  for (const client of clients) client.audio(AUDIO.subarray(0, -19_200));
  await waitUntil("a result for each", () => clients.every(({ finals }) => finals.length > 0));
  const processes = await server.processes();
  expect(processes.map(({ sessions }) => sessions).reduce((sum, each) => sum + each, 0)).toBe(8);
  const info = (await server.info()) as { dialects?: unknown };
  // The page for operators is at another address than they are.
  expect(info.dialects).toContainEqual(expect.objectContaining({ name: "deepgram", paths: ["/v1/listen"] }));
  server.server.signal("SIGTERM");
  for (const client of clients) {
    expect(await client.end()).toEqual({ code: 1001, reason: "" });
    expect(client.finals).toHaveLength(2);
    expect(client.messages.at(-1)).toMatchObject({ type: "Metadata" });
    client[Symbol.dispose]();
  }
});

describe("a connection", () => {
  test("is refused before the upgrade with Deepgram's words for it", async () => {
    expect(await refused(server, "encoding=opus")).toEqual([
      400,
      "INVALID_QUERY_PARAMETER",
      'encoding: found "opus"; allowed: one of linear16, linear32, mulaw, alaw, or none for audio with a WAV header',
    ]);
    const [status, code] = await refused(server, QUERY, { upgrade: "none" });
    expect([status, code]).toEqual([426, "UPGRADE_REQUIRED"]);
  });

  test("has the id of its results, and the model, in the answer's headers", async () => {
    const response = await server.fetch(`/v1/listen?${QUERY}`, { headers: UPGRADE });
    expect(response.status).toBe(101);
    expect(response.headers.get("dg-model-name")).toBe("words");
    expect(response.headers.get("dg-request-id")).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test("does not exist where the dialect is not enabled", async () => {
    const settings: Settings = { "dialects.enabled": "streamer" };
    await using native = await InProcessServer.start(settings);
    expect((await native.fetch(`/v1/listen?${QUERY}`, { headers: UPGRADE })).status).toBe(404);
    expect(await (await native.fetch("/")).text()).not.toContain("/v1/listen");
  });
});

describe("with tokens", () => {
  const [token, other, withdrawn] = [newToken(), newToken(), newToken()];
  let folder = "";
  let file = "";
  let guarded: InProcessServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "streamer-deepgram-"));
    file = join(folder, "tokens");
    await writeFile(file, lineOf("client", token) + lineOf("another", withdrawn), { mode: 0o600 });
    guarded = await InProcessServer.start({ ...words, "auth.tokens": file });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("a connection without one is refused, and one with another", async () => {
    expect((await refused(guarded, QUERY)).slice(0, 2)).toEqual([401, "INVALID_AUTH"]);
    const answer = await refused(guarded, QUERY, { authorization: `Token ${other}` });
    expect(answer.slice(0, 2)).toEqual([401, "INVALID_AUTH"]);
    expect(JSON.stringify(answer)).not.toContain(other);
  });

  test("a connection that asks for more channels than its token has is refused before there is one", async () => {
    const headers = { authorization: `Token ${token}` };
    expect(await refused(guarded, `${QUERY}&channels=2`, headers)).toEqual([
      400,
      "INVALID_QUERY_PARAMETER",
      "channels: found 2; allowed: at most 1, which is your limit",
    ]);
  });

  test("a session whose token is withdrawn ends, and the next connection with it is refused", async () => {
    using client = await DeepgramClient.connect(guarded.url, QUERY, ["token", withdrawn]);
    client.audio(AUDIO.subarray(0, 3_200));
    await writeFile(file, lineOf("client", token), { mode: 0o600 });
    const { code, reason } = await client.end();
    expect([code, reason]).toEqual([1008, "unauthorized: the token of this session is not valid any more"]);
    const headers = { authorization: `Token ${withdrawn}` };
    expect((await refused(guarded, QUERY, headers)).slice(0, 2)).toEqual([401, "INVALID_AUTH"]);
  });

  test.each(["Token", "token", "Bearer", "bearer"])("the header may have it as %s", async (scheme) => {
    const headers = { ...UPGRADE, authorization: `${scheme} ${token}` };
    expect((await guarded.fetch(`/v1/listen?${QUERY}`, { headers })).status).toBe(101);
  });

  test.each(["token", "bearer"])(
    "browsers may have it behind the subprotocol %s, which alone is chosen",
    async (scheme) => {
      using client = await DeepgramClient.connect(guarded.url, QUERY, [scheme, token]);
      expect(client.protocol).toBe(scheme);
      expect((await client.close()).code).toBe(1000);
    },
  );
});

test("the front page and info have the address to paste, by the name that the request has used", async () => {
  const url = `${server.url.replace("http", "ws")}/v1/listen`;
  expect(await (await server.fetch("/")).text()).toContain(`deepgram  ${url}`);
  const dialectsAt = async (headers: Record<string, string>): Promise<unknown[]> => {
    const info = (await (await server.fetch("/api/v1/info", { headers })).json()) as { dialects: unknown[] };
    return info.dialects;
  };
  const own = { name: "deepgram", paths: ["/v1/listen"], urls: [url] };
  expect(await dialectsAt({})).toContainEqual(expect.objectContaining(own));
  const named = { name: "deepgram", paths: ["/v1/listen"], urls: ["ws://localhost:80/v1/listen"] };
  expect(await dialectsAt({ host: "localhost:80" })).toContainEqual(expect.objectContaining(named));
});
