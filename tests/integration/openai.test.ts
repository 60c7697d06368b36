// OpenAI's Realtime API on the wire. Its SDKs are in tests/suites/interop.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { refusalSchema } from "../../src/dialects/openai/messages.ts";
import { encode, speech } from "../support/audio.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { OpenAiClient } from "../support/openai-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const RATE = 24_000;
/** Two utterances with silence behind them. */
const AUDIO = encode("s16", speech([1.2, 1], { rate: RATE }));
const INTENT = "intent=transcription";
const words = { "model.name": join(import.meta.dir, "../support/models/words.ts") };
const server = await sharedServer(words);

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** Returns status and body of a refused upgrade. */
async function refused(of: InProcessServer, query: string, headers: Record<string, string> = {}) {
  const response = await of.fetch(`/v1/realtime?${query}`, { headers: { ...UPGRADE, ...headers } });
  const { error } = v.parse(refusalSchema, await response.json());
  return [response.status, error.type, error.code, error.param];
}

describe("a conversation", () => {
  test("has each utterance's events and transcript in order; its ledger is in the log", async () => {
    using client = await OpenAiClient.connect(server.url, "model=gpt-4o-transcribe");
    client.update({ transcription: { model: "gpt-4o-transcribe", language: "en" } });
    client.audio(AUDIO);
    await client.completed(2);
    expect(client.messages.slice(0, 2).map(({ type }) => type)).toEqual(["session.created", "session.updated"]);
    expect(client.of("session.updated")[0]?.session.audio.input.transcription).toEqual({
      model: "words",
      language: "en",
    });
    expect(client.transcripts).toEqual(["turn left here", "turn left here"]);
    const committed = client.of("input_audio_buffer.committed").map(({ item_id }) => item_id);
    const started = client.of("input_audio_buffer.speech_started");
    expect(started.map(({ item_id }) => item_id)).toEqual(committed);
    const starts = started.map(({ audio_start_ms }) => audio_start_ms);
    const ends = client.of("input_audio_buffer.speech_stopped").map(({ audio_end_ms }) => audio_end_ms);
    expect(ends[0]! - starts[0]!).toBeGreaterThan(1_200);
    expect(starts[1]!).toBeGreaterThan(ends[0]!);
    client[Symbol.dispose]();
    await client.end();
    await server.waitUntilIdle();
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "openai", pattern: "segmented" });
    // To close the connection is how clients stop.
    const received = AUDIO.length / 2;
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({
      reason: "stop",
      ledger: [{ received, failed: 0, segments: 2 }],
    });
    expect(server.logged("session_closed").at(-1)).toMatchObject({ reason: "client" });
  });

  test("that is closed in the middle of an utterance has vanished with it", async () => {
    {
      using client = await OpenAiClient.connect(server.url);
      client.audio(AUDIO.subarray(0, RATE * 2));
      await client.have("input_audio_buffer.speech_started");
    }
    await server.waitUntilIdle();
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({ reason: "vanished", ledger: [{ segments: 0 }] });
  });

  test("may commit by itself, in telephony's format, and gets one transcript for each commit", async () => {
    using client = await OpenAiClient.connect(server.url);
    client.update({ format: { type: "audio/pcmu" }, turn_detection: null });
    client.audio(encode("mulaw", speech([1, 1], { rate: 8_000 })));
    client.send("input_audio_buffer.commit");
    await client.completed(1);
    expect(client.transcripts).toEqual(["turn left here turn left here"]);
    client.send("input_audio_buffer.commit", { event_id: "mine" });
    await client.have("error");
    expect(client.of("error")[0]?.error).toMatchObject({ code: "input_audio_buffer_commit_empty", event_id: "mine" });
    // The session lives.
    client.audio(new Uint8Array(8_000).fill(0xff));
    client.send("input_audio_buffer.commit");
    await client.completed(2);
    expect(client.transcripts[1]).toBe("");
    expect(client.of("input_audio_buffer.speech_started")).toEqual([]);
  });

  test("may change its settings in the middle: times go on, and no audio is lost", async () => {
    using client = await OpenAiClient.connect(server.url);
    client.audio(AUDIO);
    client.update({ format: { type: "audio/pcma" }, transcription: { language: "de" } });
    client.audio(encode("alaw", speech([1], { rate: 8_000 })));
    await client.completed(3);
    const starts = client.of("input_audio_buffer.speech_started").map(({ audio_start_ms }) => audio_start_ms);
    expect(starts[2]!).toBeGreaterThanOrEqual((AUDIO.length / 2 / RATE) * 1_000);
    expect(client.of("error")).toEqual([]);
  });

  test("in the form of the beta has sessions and items of that form", async () => {
    using client = await OpenAiClient.connect(server.url);
    client.send("transcription_session.update", { session: { input_audio_format: "pcm16" } });
    client.audio(AUDIO);
    await client.completed(2);
    const types = new Set(client.messages.map(({ type }) => type));
    expect(types.has("transcription_session.updated") && types.has("conversation.item.created")).toBeTrue();
    expect(types.has("conversation.item.added")).toBeFalse();
  });

  test("survives texts that are no events of it, each of which has one error", async () => {
    using client = await OpenAiClient.connect(server.url);
    const rubbish = ["", "{", "[]", "null", '{"type":"response.create"}', '{"type":"input_audio_buffer.append"}'];
    for (const text of rubbish) client.raw(text);
    client.raw(new Uint8Array(10));
    client.audio(AUDIO);
    await client.completed(2);
    expect(client.of("error")).toHaveLength(rubbish.length + 1);
  });

  test("has no audio of a WAV file of another format; new settings start anew", async () => {
    using client = await OpenAiClient.connect(server.url);
    const header = Buffer.from("OggS, or so it says".padEnd(4_800, "x"));
    client.audio(header);
    await client.have("error");
    expect(client.of("error")[0]?.error).toMatchObject({ param: "session.audio.input.format", code: "invalid_value" });
    client.update({});
    client.audio(AUDIO);
    await client.completed(2);
  });

  test("of more than one message may carry ends with 1009", async () => {
    using client = await OpenAiClient.connect(server.url);
    client.audio(AUDIO.subarray(0, RATE * 2));
    await client.have("input_audio_buffer.speech_started");
    client.raw("x".repeat(2_000_000));
    expect(await client.end()).toEqual({ code: 1009, reason: "message_too_big" });
    // The speech that goes on is lost with it.
    expect(client.messages.slice(-2)).toMatchObject([
      { type: "conversation.item.input_audio_transcription.failed", error: { code: "message_too_big" } },
      { type: "error", error: { type: "invalid_request_error", code: "message_too_big", param: null } },
    ]);
    using other = await OpenAiClient.connect(server.url);
    other.audio(new Uint8Array(1_048_577), 1_048_577);
    expect((await other.end()).code).toBe(1009);
    expect(other.messages.map(({ type }) => type)).toEqual(["session.created", "error"]);
  });

  test("at full speed holds the client back while the model is slow, and has every result", async () => {
    const delay = {
      "model.workers": 1,
      "model.delay": 0.1,
      "model.jitter": 0,
      "model.constant_factor": 0,
      "limits.read_ahead_seconds": 1,
    };
    await using slow = await InProcessServer.start({
      ...delay,
      "dialects.inbox_bytes": 4_096,
      "limits.inbox_bytes": 4_096,
    });
    using client = await OpenAiClient.connect(slow.url);
    const seconds = Array.from({ length: 8 }, () => 0.6);
    client.audio(encode("s16", speech(seconds, { rate: RATE })));
    await client.completed(seconds.length);
    expect((await slow.metrics()).value("streamer_paused_seconds_total")).toBeGreaterThan(0);
  });
});

describe("the server", () => {
  test("sends every transcript before it closes with 1001 at a shutdown, and no error", async () => {
    await using ending = await InProcessServer.start({ ...words, "limits.drain_timeout_ms": 0 });
    using client = await OpenAiClient.connect(ending.url);
    client.audio(AUDIO.subarray(0, RATE * 2 * 1.5));
    await client.have("input_audio_buffer.speech_started");
    await ending.drain();
    expect(await client.end()).toEqual({ code: 1001, reason: "drain" });
    expect(client.transcripts).toEqual(["turn left here"]);
    expect(client.of("error")).toEqual([]);
  });

  test("ends a session that is too old with an error that it has expired, and 1001", async () => {
    await using short = await InProcessServer.start({ ...words, "limits.session_ms": 500 });
    using client = await OpenAiClient.connect(short.url);
    expect((await client.end()).code).toBe(1001);
    expect(client.of("error")).toMatchObject([{ error: { code: "session_expired" } }]);
  });

  test("names the item that a worker's crash has cost", async () => {
    const crash = { "model.workers": 1, "model.panic_rate": 1 };
    await using crashing = await InProcessServer.start(crash);
    using client = await OpenAiClient.connect(crashing.url);
    client.audio(AUDIO);
    const failed = "conversation.item.input_audio_transcription.failed";
    await client.have(failed, 2);
    const items = client.of("input_audio_buffer.committed").map(({ item_id }) => item_id);
    expect(client.of(failed).map(({ item_id }) => item_id)).toEqual(items);
    expect(client.of(failed)[0]?.error).toMatchObject({ type: "server_error", code: "worker_crashed" });
  });
});

describe("a connection", () => {
  test("is refused before the upgrade with OpenAI's words for it", async () => {
    const refusal = ["invalid_request_error", "unsupported", "intent"];
    expect(await refused(server, "model=gpt-realtime")).toEqual([400, ...refusal]);
    expect(await refused(server, "")).toEqual([400, ...refusal]);
    expect(await refused(server, INTENT, { upgrade: "none" })).toEqual([
      426,
      "invalid_request_error",
      "upgrade_required",
      null,
    ]);
  });

  test("has the address to paste on the front page", async () => {
    const address = `openai  ${server.url.replace("http", "ws")}/v1/realtime`;
    expect(await (await server.fetch("/")).text()).toContain(address);
  });
});

describe("with tokens", () => {
  const [token, other] = [newToken(), newToken()];
  let folder = "";
  let guarded: InProcessServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "streamer-openai-"));
    const file = join(folder, "tokens");
    const hash = hashToken(token).toString("hex");
    await writeFile(file, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
    guarded = await InProcessServer.start({ ...words, "auth.tokens": file });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("a connection without one is refused, and one with another", async () => {
    const refusal = [401, "invalid_request_error", "invalid_api_key", null];
    expect(await refused(guarded, INTENT)).toEqual(refusal);
    expect(await refused(guarded, INTENT, { authorization: `Bearer ${other}` })).toEqual(refusal);
  });

  test("browsers have it in a subprotocol, and get the other one", async () => {
    const protocols = ["realtime", `openai-insecure-api-key.${token}`];
    using client = await OpenAiClient.connect(guarded.url, "", protocols);
    expect(client.protocol).toBe("realtime");
    await client.have("session.created");
  });
});
