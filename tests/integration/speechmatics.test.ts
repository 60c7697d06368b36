// Speechmatics' realtime API on the wire. Its SDKs are in tests/suites/interop.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { errorSchema } from "../../src/dialects/speechmatics/messages.ts";
import { encode, speech, wav } from "../support/audio.ts";
import { InProcessServer, type Settings, sharedServer } from "../support/in-process-server.ts";
import { SpeechmaticsClient } from "../support/speechmatics-client.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const AUDIO = encode("s16", speech([1.2, 1]));
const words = { "model.name": join(import.meta.dir, "../support/models/words.ts") };
const server = await sharedServer(words);

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** Returns status and body of a refused upgrade. */
async function refused(of: InProcessServer, query = "", headers: Record<string, string> = {}) {
  const response = await of.fetch(`/v2${query}`, { headers: { ...UPGRADE, ...headers } });
  const { type, reason } = v.parse(errorSchema, await response.json());
  return [response.status, type, reason];
}

describe("a conversation", () => {
  test("ends with every result, then EndOfTranscript, then close 1000; the ledger is in the log", async () => {
    using client = await SpeechmaticsClient.start(server.url);
    client.audio(AUDIO);
    expect(await client.stop()).toEqual({ code: 1000, reason: "" });
    expect(client.names).toEqual([
      "RecognitionStarted",
      ...["AddTranscript", "EndOfUtterance"],
      ...["AddTranscript", "EndOfUtterance"],
      "EndOfTranscript",
    ]);
    expect(client.added).toEqual(Array.from({ length: Math.ceil(AUDIO.length / 3_200) }, (_, n) => n + 1));
    for (const { metadata, results } of client.finals) {
      expect(metadata.transcript).toBe("turn left here ");
      expect(results.map(({ alternatives }) => alternatives[0]?.content)).toEqual(["turn", "left", "here"]);
      expect([results[0]?.start_time, results[2]?.end_time]).toEqual([metadata.start_time, metadata.end_time]);
    }
    const session = server.logged("session_opened").at(-1)?.["session"];
    expect(client.messages[0]).toMatchObject({ message: "RecognitionStarted", id: session });
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "speechmatics", pattern: "segmented" });
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({
      reason: "stop",
      ledger: [{ failed: 0, segments: 2, received: AUDIO.length / 2 }],
    });
    const metrics = await server.metrics();
    expect(metrics.value("streamer_sessions_opened_total", { dialect: "speechmatics", pattern: "segmented" })).toBe(1);
  });

  test("may be a WAV file without any word about its format, of two channels at 48 kHz", async () => {
    const rate = 48_000;
    const samples = encode("f32", speech([1], { rate }), speech([1], { rate, seed: 7 }));
    using client = await SpeechmaticsClient.start(server.url, { enable_partials: true }, { type: "file" });
    client.audio(wav({ channels: 2, sample_rate: rate, bit_depth: 32, is_float: true }, samples), 9_600);
    expect((await client.stop()).code).toBe(1000);
    expect(client.finals.map(({ channel }) => channel).sort()).toEqual(["channel_1", "channel_2"]);
  });

  test("may have no audio at all", async () => {
    for (const format of [{ type: "file" }, undefined]) {
      using client = await SpeechmaticsClient.start(server.url, {}, format);
      expect((await client.stop()).code).toBe(1000);
      expect(client.names).toEqual(["RecognitionStarted", "EndOfTranscript"]);
    }
  });

  test("has the answer to ForceEndOfUtterance while audio goes on", async () => {
    using client = await SpeechmaticsClient.start(server.url);
    client.audio(AUDIO.subarray(0, 48_000));
    client.send({ message: "ForceEndOfUtterance" });
    await waitUntil("the end of the utterance", () => client.names.includes("EndOfUtterance"));
    expect(client.names).toEqual(["RecognitionStarted", "AddTranscript", "EndOfUtterance"]);
    await client.stop();
  });

  test("shows the model's fields where it has no text", async () => {
    await using simulated = await InProcessServer.start();
    using client = await SpeechmaticsClient.start(simulated.url);
    client.audio(AUDIO);
    await client.stop();
    expect(client.finals[0]?.metadata.transcript).toMatch(/\bcount=\d+ /);
  });
});

test("a span on which the model fails, or crashes, is a Warning, and the stream goes on to its end", async () => {
  for (const [setting, code] of [
    ["model.failure_rate", "inference_failed"],
    ["model.panic_rate", "worker_crashed"],
  ] as const) {
    await using failing = await InProcessServer.start({ [setting]: 1, "model.delay": 0, "model.warmup_penalty": 1 });
    using client = await SpeechmaticsClient.start(failing.url);
    client.audio(AUDIO);
    expect((await client.stop()).code).toBe(1000);
    const warnings = client.messages.filter((message) => message.message === "Warning");
    expect(warnings.map(({ type }) => type)).toEqual([code, code]);
    expect(client.names.at(-1)).toBe("EndOfTranscript");
    expect(failing.logged("stream_stopped")).toMatchObject([{ ledger: [{ segments: 0, errors: 2 }] }]);
  }
});

describe("what cannot be gets one Error as the last message, and 1008", () => {
  test.each([
    ["an Ogg file", "invalid_audio_type", (client: SpeechmaticsClient) => client.audio(Buffer.from("OggS, it says"))],
    ["a text that is no JSON", "invalid_message", (client: SpeechmaticsClient) => client.send("{")],
    ["audio of single channels", "invalid_message", (client) => client.send({ message: "AddChannelAudio" })],
    ["a second StartRecognition", "protocol_error", (client) => client.send({ message: "StartRecognition" })],
  ])("%s", async (_, type, send) => {
    using client = await SpeechmaticsClient.start(server.url, {}, { type: "file" });
    send(client);
    expect(await client.end()).toEqual({ code: 1008, reason: type });
    expect(client.names).toEqual(["RecognitionStarted", "Error"]);
  });

  test("but not before the results of the audio before it", async () => {
    using client = await SpeechmaticsClient.start(server.url);
    client.audio(AUDIO);
    client.send({ message: "EndOfChannel" });
    expect(await client.end()).toEqual({ code: 1008, reason: "invalid_message" });
    expect(client.names.filter((name) => name === "AddTranscript")).toHaveLength(2);
    expect(client.names.at(-1)).toBe("Error");
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({ reason: "error", ledger: [{ segments: 2 }] });
  });

  test("also when the server names its models strictly", async () => {
    await using strict = await InProcessServer.start({ ...words, "dialects.strict_models": "on" });
    using client = await SpeechmaticsClient.start(strict.url);
    expect(await client.end()).toEqual({ code: 1008, reason: "invalid_model" });
    expect(client.messages).toMatchObject([{ message: "Error", reason: 'model: found "enhanced"; allowed: words' }]);
  });
});

test("a shutdown ends every conversation with its results, EndOfTranscript and 1001", async () => {
  const settings: Settings = { ...words, "limits.drain_timeout_ms": 500 };
  await using stopping = await InProcessServer.start(settings);
  using client = await SpeechmaticsClient.start(stopping.url);
  using file = await SpeechmaticsClient.start(stopping.url, {}, { type: "file" });
  using early = await SpeechmaticsClient.connect(stopping.url);
  client.audio(AUDIO);
  await waitUntil("the audio to be taken", () => client.added.length === Math.ceil(AUDIO.length / 3_200));
  const drained = stopping.drain();
  expect(await file.end()).toEqual({ code: 1001, reason: "" });
  expect(file.names).toEqual(["RecognitionStarted", "EndOfTranscript"]);
  expect(await early.end()).toEqual({ code: 1001, reason: "job_error" });
  // The open stream may go on for a while.
  expect(await client.end()).toEqual({ code: 1001, reason: "" });
  await drained;
  expect(client.finals).toHaveLength(2);
  expect(client.names.at(-1)).toBe("EndOfTranscript");
});

test("a connection is refused before the upgrade with Speechmatics' words for it", async () => {
  const [status, type] = await refused(server, "", { upgrade: "none" });
  expect([status, type]).toEqual([426, "protocol_error"]);
  await using native = await InProcessServer.start({ "dialects.enabled": "streamer" });
  expect((await native.fetch("/v2", { headers: UPGRADE })).status).toBe(404);
});

describe("with tokens", () => {
  const [token, other] = [newToken(), newToken()];
  let folder = "";
  let guarded: InProcessServer;
  let strict: InProcessServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "streamer-speechmatics-"));
    const file = join(folder, "tokens");
    const hash = hashToken(token).toString("hex");
    await writeFile(file, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
    guarded = await InProcessServer.start({ ...words, "auth.tokens": file, "auth.query_tokens": "accept" });
    strict = await InProcessServer.start({ ...words, "auth.tokens": file });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    await strict[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("a connection without one is refused, and one with another, which is not shown", async () => {
    expect((await refused(guarded)).slice(0, 2)).toEqual([401, "not_authorised"]);
    const answer = await refused(guarded, `?jwt=${other}`);
    expect(answer.slice(0, 2)).toEqual([401, "not_authorised"]);
    expect((await refused(strict, `?jwt=${token}`))[0]).toBe(401);
    expect(JSON.stringify([answer, guarded.log, strict.log])).not.toMatch(new RegExp(`${other}|${token}`));
  });

  test("programs have it in the header, and browsers in the query, where the server accepts that", async () => {
    const headers = { ...UPGRADE, authorization: `Bearer ${token}` };
    expect((await strict.fetch("/v2?sm-sdk=python", { headers })).status).toBe(101);
    using client = await SpeechmaticsClient.connect(guarded.url, `?jwt=${token}`);
    client.send({ message: "StartRecognition" });
    expect((await client.stop()).code).toBe(1000);
    expect(JSON.stringify(guarded.log)).not.toContain(token);
  });

  test("browsers may have a ticket as their JWT, once", async () => {
    const headers = { authorization: `Bearer ${token}` };
    const issued = await strict.fetch("/api/v1/tickets", { method: "POST", headers });
    const { ticket } = (await issued.json()) as { ticket: string };
    expect((await strict.fetch(`/v2?jwt=${ticket}`, { headers: UPGRADE })).status).toBe(101);
    expect((await refused(strict, `?jwt=${ticket}`)).slice(0, 2)).toEqual([401, "not_authorised"]);
  });
});
