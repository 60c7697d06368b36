// AssemblyAI's streaming API on the wire. Its SDKs are in tests/suites/interop.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../src/auth/token.ts";
import { errorSchema } from "../../src/dialects/assemblyai/messages.ts";
import { AssemblyAiClient } from "../support/assemblyai-client.ts";
import { encode, noise, speech, wav } from "../support/audio.ts";
import { InProcessServer, sharedServer } from "../support/in-process-server.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const QUERY = "sample_rate=16000&encoding=pcm_s16le";
const AUDIO = encode("s16", speech([1.2, 1]));
const folder = await mkdtemp(join(tmpdir(), "streamer-assemblyai-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const words = { "model.name": join(import.meta.dir, "../support/models/words.ts") };
const server = await sharedServer(words);

const UPGRADE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** Returns status, code and message of a refused upgrade. */
async function refused(of: InProcessServer, query: string, headers: Record<string, string> = {}) {
  const response = await of.fetch(`/v3/ws?${query}`, { headers: { ...UPGRADE, ...headers } });
  const { error_code, error } = v.parse(errorSchema, await response.json());
  return [response.status, error_code, error] as const;
}

describe("a conversation", () => {
  test("ends with every turn, then Termination, then close 1000; the ledger is in the log", async () => {
    using client = await AssemblyAiClient.connect(server.url, `${QUERY}&format_turns=true`);
    client.audio(AUDIO);
    expect(await client.terminate()).toEqual({ code: 1000, reason: "" });
    expect(client.messages[0]).toMatchObject({ type: "Begin", configuration: { model: "words", api_version: "v3" } });
    const { transcript, words: spoken } = client.finals[0]!;
    expect([transcript, spoken.length]).toEqual(["turn left here", 3]);
    expect(client.finals.map(({ turn_order, turn_is_formatted }) => [turn_order, turn_is_formatted])).toEqual([
      [0, true],
      [1, true],
    ]);
    const types = client.messages.map(({ type }) => type);
    expect(types.filter((type) => type === "SpeechStarted")).toHaveLength(2);
    const seconds = Math.round(AUDIO.length / 32_000);
    expect(client.messages.at(-1)).toMatchObject({ type: "Termination", audio_duration_seconds: seconds });
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "assemblyai", pattern: "segmented" });
    expect(server.logged("stream_stopped").at(-1)).toMatchObject({
      reason: "stop",
      ledger: [{ failed: 0, segments: 2 }],
    });
    const metrics = await server.metrics();
    expect(metrics.value("streamer_sessions_opened_total", { dialect: "assemblyai", pattern: "segmented" })).toBe(1);
  });

  test("begins while the model answers nothing, to anybody", async () => {
    const gate = join(folder, "gate");
    const name = join(import.meta.dir, "../support/models/gated.ts");
    await using gated = await InProcessServer.start({ "model.name": name, "model.gate": gate });
    using first = await AssemblyAiClient.connect(gated.url, QUERY);
    first.audio(AUDIO);
    await waitUntil("the begin of speech", () => first.messages.length > 1);
    using second = await AssemblyAiClient.connect(gated.url, QUERY);
    await waitUntil("Begin", () => second.messages.length > 0);
    expect(second.messages).toMatchObject([{ type: "Begin" }]);
    expect([...first.turns, ...second.turns]).toEqual([]);
    await writeFile(gate, "");
    const ends = await Promise.all([first.terminate(), second.terminate()]);
    expect(ends.map(({ code }) => code)).toEqual([1000, 1000]);
    expect(first.finals).toHaveLength(2);
  });

  test("has partial turns while its speaker goes on, and an end when the client forces one", async () => {
    using client = await AssemblyAiClient.connect(server.url, QUERY);
    client.audio(AUDIO.subarray(0, 48_000));
    await waitUntil("a partial turn", () => client.turns.length > 0);
    expect(client.turns[0]).toMatchObject({ turn_order: 0, end_of_turn: false });
    client.control("ForceEndpoint");
    await waitUntil("the end of the turn", () => client.finals.length > 0);
    expect(client.finals).toMatchObject([{ turn_order: 0, transcript: "turn left here" }]);
    client.control("KeepAlive");
    client.control("UpdateConfiguration", { format_turns: true, min_turn_silence: 800 });
    client.audio(AUDIO.subarray(48_000));
    expect((await client.terminate()).code).toBe(1000);
    expect(client.finals.at(-1)).toMatchObject({ turn_is_formatted: true });
  });

  test("may be in mu-law, as from a telephone", async () => {
    using client = await AssemblyAiClient.connect(server.url, "encoding=pcm_mulaw");
    client.audio(encode("mulaw", speech([1.2], { rate: 8_000 })), 160);
    await client.terminate();
    expect(client.finals.map(({ transcript }) => transcript)).toEqual(["turn left here"]);
  });

  test("shows the model's fields where it has no text", async () => {
    await using simulated = await InProcessServer.start();
    using client = await AssemblyAiClient.connect(simulated.url, QUERY);
    client.audio(AUDIO);
    await client.terminate();
    expect(client.finals[0]?.transcript).toMatch(/\bcount=\d+\b/);
  });

  test("of which the model fails at one turn goes on behind a warning", async () => {
    await using failing = await InProcessServer.start({ "model.failure_rate": 1 });
    using client = await AssemblyAiClient.connect(failing.url, `${QUERY}&include_partial_turns=false`);
    client.audio(AUDIO);
    expect((await client.terminate()).code).toBe(1000);
    expect(client.messages.filter(({ type }) => type === "Warning")).toMatchObject([
      { warning_code: 3005, warning: expect.stringContaining("inference_failed") },
      { warning_code: 3005 },
    ]);
    expect(client.messages.at(-1)).toMatchObject({ type: "Termination" });
  });
});

describe("a connection ends with an error of the same code as its close", () => {
  test("when a text is not understood, behind the results of the audio before it", async () => {
    using client = await AssemblyAiClient.connect(server.url, QUERY);
    client.audio(AUDIO);
    client.text('{"type":"Sing"}');
    expect((await client.end()).code).toBe(4101);
    expect(client.finals).toHaveLength(2);
    expect(client.messages.at(-1)).toMatchObject({
      type: "Error",
      error_code: 4101,
      error: expect.stringContaining('type: found "Sing"'),
    });
  });

  test("when a WAV header says something else than the query", async () => {
    using client = await AssemblyAiClient.connect(server.url, QUERY);
    const format = { channels: 1, sample_rate: 8_000, bit_depth: 16, is_float: false };
    client.audio(wav(format, encode("s16", noise(1, { rate: 8_000 }))));
    const { code, reason } = await client.end();
    expect([code, reason.slice(0, 16)]).toEqual([4000, "format_mismatch:"]);
    expect(client.messages.at(-1)).toMatchObject({ type: "Error", error_code: 4000 });
  });

  test("when a message is too large", async () => {
    await using small = await InProcessServer.start({ "limits.max_message_bytes": 4_096 });
    using client = await AssemblyAiClient.connect(small.url, QUERY);
    client.audio(new Uint8Array(8_192), 8_192);
    expect((await client.end()).code).toBe(3007);
    expect(client.messages.at(-1)).toMatchObject({ type: "Error", error_code: 3007 });
  });
});

test("a shutdown gives the results of what came, then Termination, then close 1001", async () => {
  await using draining = await InProcessServer.start({ ...words, "limits.drain": "now" });
  using client = await AssemblyAiClient.connect(draining.url, QUERY);
  client.audio(AUDIO);
  await waitUntil("a turn", () => client.turns.length > 0);
  await draining.drain();
  expect((await client.end()).code).toBe(1001);
  expect(client.finals.length).toBeGreaterThan(0);
  expect(client.messages.at(-1)).toMatchObject({ type: "Termination" });
});

describe("a connection", () => {
  test("is refused before the upgrade with this service's words for it", async () => {
    expect(await refused(server, `${QUERY}&encoding=opus`)).toEqual([
      400,
      3006,
      'encoding: found "opus"; allowed: one of pcm_s16le, pcm_mulaw',
    ]);
    expect((await refused(server, QUERY, { upgrade: "none" })).slice(0, 2)).toEqual([426, 3006]);
  });

  test("is refused for a model that is not known, if the server is strict", async () => {
    await using strict = await InProcessServer.start({ ...words, "dialects.strict_models": "on" });
    const [status, , message] = await refused(strict, `${QUERY}&speech_model=universal-3-6`);
    expect([status, message]).toEqual([400, 'model: found "universal-3-6"; allowed: words']);
  });

  test("does not exist where the dialect is not enabled", async () => {
    await using native = await InProcessServer.start({ "dialects.enabled": "streamer" });
    expect((await native.fetch(`/v3/ws?${QUERY}`, { headers: UPGRADE })).status).toBe(404);
    expect(await (await native.fetch("/")).text()).not.toContain("/v3/ws");
  });
});

describe("with tokens", () => {
  const [token, other] = [newToken(), newToken()];
  let guarded: InProcessServer;
  let lenient: InProcessServer;

  beforeAll(async () => {
    const file = join(folder, "tokens");
    const hash = hashToken(token).toString("hex");
    await writeFile(file, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
    guarded = await InProcessServer.start({ ...words, "auth.tokens": file });
    lenient = await InProcessServer.start({ ...words, "auth.tokens": file, "auth.query_tokens": "accept" });
  });

  afterAll(async () => {
    await guarded[Symbol.asyncDispose]();
    await lenient[Symbol.asyncDispose]();
  });

  test("a connection without one is refused, and one with another, which is not shown", async () => {
    expect((await refused(guarded, QUERY)).slice(0, 2)).toEqual([401, 4001]);
    const answers = [
      await refused(guarded, QUERY, { authorization: other }),
      await refused(lenient, `${QUERY}&token=${other}`),
    ];
    for (const answer of answers) expect(answer.slice(0, 2)).toEqual([401, 4001]);
    expect(JSON.stringify([answers, guarded.log, lenient.log])).not.toContain(other);
  });

  test.each(["", "Bearer "])("the header may have it as '%sKEY'", async (scheme) => {
    using client = await AssemblyAiClient.connect(guarded.url, QUERY, { authorization: `${scheme}${token}` });
    expect((await client.terminate()).code).toBe(1000);
  });

  test("the query may have it where auth.query_tokens accepts that, and nowhere else", async () => {
    using client = await AssemblyAiClient.connect(lenient.url, `${QUERY}&token=${token}`);
    expect((await client.terminate()).code).toBe(1000);
    expect((await refused(guarded, `${QUERY}&token=${token}`)).slice(0, 2)).toEqual([401, 4001]);
    expect(JSON.stringify(lenient.log)).not.toContain(token);
  });
});

test("the front page has the address to paste, and info the route", async () => {
  expect(await (await server.fetch("/")).text()).toContain(`assemblyai  ${server.url.replace("http", "ws")}/v3/ws`);
  const { dialects } = (await (await server.fetch("/api/v1/info")).json()) as { dialects: unknown[] };
  expect(dialects).toContainEqual(expect.objectContaining({ name: "assemblyai", paths: ["/v3/ws"] }));
});
