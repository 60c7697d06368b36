// OpenAI's own SDKs, unmodified, in processes of their own. That for JavaScript connects over TLS only.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { type Numbered as ServerMessage, serverMessageSchema } from "../../../src/dialects/openai/messages.ts";
import { encode, speech } from "../../support/audio.ts";
import { InProcessServer, type Settings } from "../../support/in-process-server.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { clients, linesOf, pythonClients } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";
import { startWithTls } from "../../support/tls-server.ts";
import { waitUntil } from "../../support/wait.ts";

const node = Bun.which("node") ?? undefined;
const scripts = await installedPackages(clients, "interop-clients");
const python = await pythonClients();

const folder = await mkdtemp(join(tmpdir(), "streamer-openai-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const audio = join(folder, "audio.raw");
await writeFile(audio, encode("s16", speech([1.2, 1], { rate: 24_000 })));
const words: Settings = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
/** A token that no client has. */
const tokens = join(folder, "tokens");
const hash = hashToken(newToken()).toString("hex");
await writeFile(tokens, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });

const TRANSCRIPTION = "conversation.item.input_audio_transcription";

/** What an application of an SDK has seen in a conversation. */
interface Seen {
  readonly name: string;
  readonly event: string;
  readonly message?: object;
  readonly type?: string;
  readonly code?: number | string;
  readonly status?: number;
  readonly body?: string;
}

/** A conversation that a program has through an SDK. */
interface Conversation {
  readonly name: string;
  readonly kind: string;
  readonly url: string;
  readonly key: string;
  readonly by?: "base_url" | "websocket_base_url";
  readonly query?: object;
  /** It does not end by itself. */
  readonly waits?: true;
}

/** An SDK: how its programs are run, and how its servers are started. */
interface Sdk {
  readonly name: string;
  readonly needs: readonly unknown[];
  readonly start: (settings?: Settings) => Promise<InProcessServer>;
  readonly command: (conversations: string) => readonly string[];
  /** Kinds of its client. */
  readonly kinds: readonly string[];
  /** The end that the server's close is. */
  readonly left: object;
}

/** Certificates of the authorities of all servers. */
const ca = join(folder, "ca.pem");

const javaScript = (runtime: string, ...command: readonly (string | undefined)[]): Sdk => ({
  name: `the SDK for JavaScript in ${runtime}`,
  needs: [command[0], scripts],
  start: (settings = words) => startWithTls(settings, ca),
  command: (conversations) => {
    const program = join(scripts ?? "", "openai-client.mjs");
    return [...command.map((part) => part ?? ""), program, audio, ca, conversations];
  },
  kinds: ["ws", "native"],
  left: { event: "close", code: 1001 },
});

const PYTHON: Sdk = {
  name: "the SDK for Python",
  needs: [python],
  start: (settings = words) => InProcessServer.start(settings),
  command: (conversations) => {
    return [join(python ?? "", "bin", "python"), join(clients, "openai_client.py"), audio, conversations];
  },
  kinds: ["sync", "async"],
  left: { event: "end" },
};

/** The messages of a conversation. The classes of Python are written without what was not there. */
function messagesOf(seen: readonly Seen[]): ServerMessage[] {
  return seen.flatMap(({ message }) => (message === undefined ? [] : [v.parse(serverMessageSchema, message)]));
}

/** Returns how often each type of message has come. */
function countTypes(messages: readonly ServerMessage[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of messages) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** Checks a conversation of two utterances with turn detection, and one commit without. */
function checkConversation(seen: readonly Seen[]): void {
  const messages = messagesOf(seen);
  const [created, updated] = messages;
  expect(created?.type).toBe("session.created");
  expect(updated).toMatchObject({
    type: "session.updated",
    session: {
      audio: {
        input: {
          format: { type: "audio/pcm", rate: 24_000 },
          transcription: { model: "words", language: "en" },
          turn_detection: { type: "server_vad", prefix_padding_ms: 300, silence_duration_ms: 400 },
        },
      },
    },
  });
  const { [`${TRANSCRIPTION}.delta`]: deltas = 0, ...counts } = countTypes(messages);
  expect(deltas).toBeGreaterThanOrEqual(3);
  expect(counts).toEqual({
    "session.created": 1,
    "session.updated": 2,
    "input_audio_buffer.speech_started": 2,
    "input_audio_buffer.speech_stopped": 2,
    "input_audio_buffer.committed": 3,
    "conversation.item.added": 3,
    "conversation.item.done": 3,
    [`${TRANSCRIPTION}.completed`]: 3,
    "input_audio_buffer.cleared": 1,
    error: 1,
  });
  const completed = messages.filter((message) => message.type === `${TRANSCRIPTION}.completed`);
  const transcripts = completed.map((message) => ("transcript" in message ? message.transcript : undefined));
  expect(transcripts.slice(0, 2)).toEqual(["turn left here", "turn left here"]);
  const error = messages.find((message) => message.type === "error");
  expect(error).toMatchObject({ error: { code: "input_audio_buffer_commit_empty", event_id: "nothing" } });
  for (const { item_id } of completed as { item_id: string }[]) {
    const said = messages.flatMap((message) =>
      "delta" in message && message.item_id === item_id ? message.delta : [],
    );
    const transcript = completed.find((message) => "item_id" in message && message.item_id === item_id);
    expect(transcript).toMatchObject({ transcript: said.join("") });
  }
}

const NODE_FLAGS = ["--experimental-websocket", "--no-warnings"];

for (const sdk of [javaScript("node", node, ...NODE_FLAGS), javaScript("bun", process.execPath), PYTHON]) {
  describe(sdk.name, () => {
    const testSdk = testWith(...sdk.needs);
    const servers: InProcessServer[] = [];
    afterAll(() => Promise.all(servers.map((server) => server[Symbol.asyncDispose]())));
    let seen: Seen[] = [];
    const of = (name: string): Seen[] => seen.filter((each) => each.name === name);

    /** Has a conversation of every kind with every server, all in one process, since each costs seconds to start. */
    async function converse(): Promise<void> {
      const start = async (settings?: Settings): Promise<InProcessServer> => {
        const server = await sdk.start(settings);
        servers.push(server);
        return server;
      };
      const plain = await start();
      const failing = await start({ "model.failure_rate": 1 });
      const guarded = await start({ "auth.tokens": tokens });
      const limited = await start({ ...words, "limits.session_ms": 2_000 });
      const draining = await start({ ...words, "limits.drain": "now" });
      const conversations = sdk.kinds.flatMap((kind): Conversation[] => {
        const as = (name: string, server: InProcessServer) => {
          return { name: `${kind} ${name}`, kind, url: server.url, key: "any" };
        };
        const inPython: Conversation[] = [
          { ...as("by another option", plain), url: plain.url.replace("http", "ws"), by: "websocket_base_url" },
          { ...as("intent", plain), query: { intent: "conversation" } },
        ];
        return [
          as("plain", plain),
          as("failing", failing),
          as("guarded", guarded),
          { ...as("limited", limited), waits: true },
          { ...as("drained", draining), waits: true },
          ...(sdk === PYTHON ? inPython : []),
        ];
      });
      const running = linesOf<Seen>(sdk.command(JSON.stringify(conversations)), { env: { NODE_EXTRA_CA_CERTS: ca } });
      // Each client has sent its settings, with which its second stream has started.
      const started = 2 * sdk.kinds.length;
      await waitUntil("the settings of all clients", () => draining.logged("stream_started").length === started);
      await draining.drain();
      seen = await running;
    }

    beforeAll(() => (sdk.needs.includes(undefined) ? undefined : converse()), 120_000);

    testSdk("gets sessions, the events of utterances and their transcripts, and survives a commit of nothing", () => {
      for (const kind of sdk.kinds) {
        const names = sdk === PYTHON ? ["plain", "by another option"] : ["plain"];
        for (const name of names) checkConversation(of(`${kind} ${name}`));
        const errors = of(`${kind} plain`).filter(({ event }) => event === "error" || event === "raised");
        // The SDK for JavaScript gives errors to a listener of their own, too.
        expect(errors).toMatchObject(sdk === PYTHON ? [] : [{ code: "input_audio_buffer_commit_empty" }]);
      }
    });

    testSdk("gets a failure for each item on which the model has failed", () => {
      for (const kind of sdk.kinds) {
        const failed = messagesOf(of(`${kind} failing`)).filter(({ type }) => type === `${TRANSCRIPTION}.failed`);
        expect(failed).toMatchObject([
          { error: { type: "server_error", code: "inference_failed" } },
          { error: { type: "server_error", code: "inference_failed" } },
        ]);
      }
    });

    testSdk("reports a key that is refused", () => {
      for (const kind of sdk.kinds) {
        const guarded = of(`${kind} guarded`);
        expect(messagesOf(guarded)).toEqual([]);
        if (sdk !== PYTHON) expect(guarded[0]).toMatchObject({ event: "error" });
        else {
          expect(guarded).toMatchObject([{ event: "raised", type: "InvalidStatus", status: 401 }]);
          const [intent] = of(`${kind} intent`);
          expect(intent).toMatchObject({ event: "raised", status: 400 });
          expect(JSON.parse(intent?.body ?? "")).toMatchObject({ error: { code: "unsupported", param: "intent" } });
        }
      }
    });

    testSdk("comes to a good end when the server shuts down, and when the time is up", () => {
      for (const kind of sdk.kinds) {
        const [drained, limited] = [of(`${kind} drained`), of(`${kind} limited`)];
        expect([drained.at(-1), limited.at(-1)]).toMatchObject([sdk.left, sdk.left]);
        expect(messagesOf(drained).map(({ type }) => type)).toEqual(["session.created", "session.updated"]);
        expect(messagesOf(limited).at(-1)).toMatchObject({ type: "error", error: { code: "session_expired" } });
      }
    });

    if (sdk === PYTHON) {
      testSdk("has every message as one of its class", () => {
        const types = new Set(seen.flatMap(({ type, event }) => (event === "message" ? type : [])));
        expect([...types].sort()).toEqual([
          "ConversationItemAdded",
          "ConversationItemDone",
          "ConversationItemInputAudioTranscriptionCompletedEvent",
          "ConversationItemInputAudioTranscriptionDeltaEvent",
          "ConversationItemInputAudioTranscriptionFailedEvent",
          "InputAudioBufferClearedEvent",
          "InputAudioBufferCommittedEvent",
          "InputAudioBufferSpeechStartedEvent",
          "InputAudioBufferSpeechStoppedEvent",
          "RealtimeErrorEvent",
          "SessionCreatedEvent",
          "SessionUpdatedEvent",
        ]);
      });
    }
  });
}
