// Deepgram's own SDKs, unmodified, in processes of their own.

import { afterAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { type Results, type ServerMessage, serverMessageSchema } from "../../../src/dialects/deepgram/messages.ts";
import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { clients, linesOf, pythonClients } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";
import { startWithTls } from "../../support/tls-server.ts";
import { waitUntil } from "../../support/wait.ts";

const node = Bun.which("node") ?? undefined;
const scripts = await installedPackages(clients, "interop-clients");
const python = await pythonClients();

const folder = await mkdtemp(join(tmpdir(), "streamer-deepgram-"));
const audio = join(folder, "audio.raw");
/** Two utterances: Finalize comes in the first. */
await writeFile(audio, encode("s16", speech([2, 1.2])));
const model = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
const words = await InProcessServer.start(model);
afterAll(async () => {
  await words.waitUntilIdle();
  await words[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A server with a token for streams of one channel. */
const keyring = join(folder, "tokens");
const token = newToken();
const hash = hashToken(token).toString("hex");
await writeFile(keyring, `${formatTokenLine({ name: "somebody", hash, channels: 1, admin: false })}\n`, {
  mode: 0o600,
});
const guarded = await InProcessServer.start({ "auth.tokens": keyring });
afterAll(() => guarded[Symbol.asyncDispose]());

const ca = join(folder, "ca.pem");
const encrypted = await startWithTls(model, ca);
afterAll(() => encrypted[Symbol.asyncDispose]());

/** What an application of an SDK has seen. */
interface Seen {
  readonly event: string;
  readonly message?: unknown;
  readonly type?: string;
  readonly code?: number;
  readonly status?: number;
}

function javaScript(
  runtime: string,
  server: InProcessServer,
  query: object = {},
  key = "any",
  ...waits: readonly string[]
): Promise<Seen[]> {
  const url = server.url.replace("http", "ws");
  const program = join(scripts ?? "", "deepgram-client.mjs");
  // Node reads it when it starts.
  const env = { NODE_EXTRA_CA_CERTS: ca };
  return linesOf<Seen>([runtime, program, url, key, audio, JSON.stringify(query), ...waits], { env });
}

function inPython(
  kind: "sync" | "async",
  server: InProcessServer,
  query: object = {},
  key = "any",
  ...waits: readonly string[]
): Promise<Seen[]> {
  const program = join(clients, "deepgram_client.py");
  const address = server.url.replace("http", "ws");
  const given = [kind, address, key, audio, JSON.stringify(query), ...waits];
  const command = [join(python ?? "", "bin", "python"), program, ...given];
  return linesOf<Seen>(command, { env: { SSL_CERT_FILE: ca } });
}

function messagesOf(seen: readonly Seen[]): ServerMessage[] {
  return seen.filter(({ event }) => event === "message").map(({ message }) => v.parse(serverMessageSchema, message));
}

const isResults = (message: ServerMessage): message is Results => message.type === "Results";

/** Checks a conversation in which a Finalize came in the first utterance. */
function checkConversation(seen: readonly Seen[]): void {
  expect(seen.filter(({ event }) => event === "open")).toHaveLength(1);
  const messages = messagesOf(seen);
  const results = messages.filter(isResults);
  const finals = results.filter(({ is_final }) => is_final);
  expect(results.some(({ is_final }) => !is_final)).toBeTrue();
  expect(finals.filter(({ from_finalize }) => from_finalize)).toHaveLength(1);
  expect(finals[0]).toMatchObject({ from_finalize: true, speech_final: true, channel_index: [0, 1] });
  for (const { channel, start, duration } of finals) {
    const [alternative] = channel.alternatives;
    expect(alternative).toMatchObject({ transcript: "turn left here", confidence: 0.75 });
    expect(alternative?.words.map(({ word }) => word)).toEqual(["turn", "left", "here"]);
    expect(alternative?.words[0]?.start).toBeCloseTo(start, 4);
    expect(alternative?.words[2]?.end).toBeCloseTo(start + duration, 4);
  }
  expect(messages.filter(({ type }) => type === "SpeechStarted").length).toBeGreaterThanOrEqual(2);
  expect(messages.at(-1)).toMatchObject({ type: "Metadata", channels: 1 });
}

const MINUTE = 60_000;

for (const [runtime, path] of [
  ["node", node],
  ["bun", process.execPath],
] as const) {
  describe(`the SDK for JavaScript in ${runtime}`, () => {
    const testSdk = testWith(path, scripts);

    testSdk(
      "gets speech events, interims, finals and the answer to Finalize, and connects once",
      async () => {
        const seen = await javaScript(path ?? "", words);
        checkConversation(seen);
        expect(seen.at(-1)).toMatchObject({ event: "close", code: 1000 });
        // An unknown text is answered, and the stream goes on.
        expect(messagesOf(seen)).toContainEqual(expect.objectContaining({ type: "Error", variant: "SchemaError" }));
      },
      MINUTE,
    );

    testSdk(
      "tries a refused connection once",
      async () => {
        const refusals = [
          javaScript(path ?? "", words, { encoding: "opus" }),
          javaScript(path ?? "", guarded),
          javaScript(path ?? "", guarded, { channels: 2 }, token),
        ];
        for (const seen of await Promise.all(refusals)) {
          expect(seen.filter(({ event }) => event === "error")).toHaveLength(1);
          expect(seen.filter(({ event }) => event === "message" || event === "open")).toEqual([]);
        }
      },
      MINUTE,
    );
  });
}

for (const kind of ["sync", "async"] as const) {
  describe(`the ${kind} SDK for Python`, () => {
    const testSdk = testWith(python);

    testSdk(
      "gets every message as one of its class",
      async () => {
        const seen = await inPython(kind, words);
        checkConversation(seen);
        const classes = new Set(seen.filter(({ event }) => event === "message").map(({ type }) => type));
        expect([...classes].sort()).toEqual(["ListenV1Metadata", "ListenV1Results", "ListenV1SpeechStarted"]);
        expect(seen.filter(({ event }) => event === "error" || event === "raised")).toEqual([]);
        expect(seen.at(-1)).toMatchObject({ event: "close" });
      },
      MINUTE,
    );

    testSdk(
      "raises for a query or a key that is refused",
      async () => {
        const seen = [await inPython(kind, words, { encoding: "opus" }), await inPython(kind, guarded)];
        expect(seen).toMatchObject([[{ event: "raised", status: 400 }], [{ event: "raised", status: 401 }]]);
      },
      MINUTE,
    );
  });
}

describe("over TLS", () => {
  for (const [sdk, needs, converse] of [
    ["JavaScript", [node, scripts], () => javaScript(node ?? "", encrypted)],
    ["Python", [python], () => inPython("async", encrypted)],
  ] as const) {
    testWith(...needs)(
      `the SDK for ${sdk} has the same conversation`,
      async () => {
        const seen = await converse();
        checkConversation(seen);
        expect(seen.at(-1)).toMatchObject({ event: "close" });
      },
      MINUTE,
    );
  }
});

testWith(node, scripts, python)(
  "the SDKs get their results and the end when the server shuts down, and the reason when the time is up",
  async () => {
    await using draining = await InProcessServer.start({ ...model, "limits.drain": "now" });
    await using limited = await InProcessServer.start({ ...model, "limits.session_ms": 1_000 });
    const running = [draining, limited].map((server) => [
      javaScript(node ?? "", server, {}, "any", "waits"),
      inPython("async", server, {}, "any", "waits"),
    ]);
    // The utterances of 2 s and 1.2 s, with the silence around them, are 4 s.
    const answered = async () => (await draining.metrics()).value("streamer_audio_inferred_seconds_total");
    await waitUntil("a result for each", async () => (await answered()) > 4.2);
    await draining.drain();
    const [drained = [], ended = []] = await Promise.all(running.map((each) => Promise.all(each)));
    for (const seen of drained) {
      const messages = messagesOf(seen);
      expect(messages.filter(isResults).filter(({ is_final }) => is_final)).not.toBeEmpty();
      expect(messages.at(-1)).toMatchObject({ type: "Metadata" });
    }
    // For Python, 1001 is a good end.
    expect(drained[0]).toContainEqual(expect.objectContaining({ event: "close", code: 1001 }));
    expect(drained[1]?.map(({ event }) => event)).not.toContain("error");
    expect(ended[0]).toContainEqual(expect.objectContaining({ event: "close", code: 1008 }));
    expect(ended[1]).toContainEqual(expect.objectContaining({ event: "error" }));
    expect(JSON.stringify(ended)).toContain("session_limit");
  },
  MINUTE,
);
