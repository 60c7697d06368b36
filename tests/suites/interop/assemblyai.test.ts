// AssemblyAI's own SDKs, unmodified, in processes of their own. That for JavaScript connects over TLS only.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { type ServerMessage, serverMessageSchema, type Turn } from "../../../src/dialects/assemblyai/messages.ts";
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

const folder = await mkdtemp(join(tmpdir(), "streamer-assemblyai-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const audio = join(folder, "audio.raw");
/** Two utterances: ForceEndpoint comes in the first. */
await writeFile(audio, encode("s16", speech([2, 1.2])));
const words: Settings = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
/** A token that no client has. */
const tokens = join(folder, "tokens");
const hash = hashToken(newToken()).toString("hex");
await writeFile(tokens, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });

/** What an application of an SDK has seen in a conversation. */
interface Seen {
  readonly name: string;
  readonly event: string;
  readonly message?: object;
  readonly type?: string;
  readonly code?: number;
  readonly text?: string;
}

/** A conversation that a program has through an SDK. */
interface Conversation {
  readonly name: string;
  readonly kind: string;
  readonly url: string;
  readonly key: string;
  readonly parameters?: object;
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
  /** The parameter for the model. */
  readonly model: string;
  /** How often a refused connection is tried. */
  readonly tries: number;
  readonly refusal: (status: number) => object;
}

/** Certificates of the authorities of all servers. */
const ca = join(folder, "ca.pem");

const javaScript = (runtime: string, path: string | undefined): Sdk => ({
  name: `the SDK for JavaScript in ${runtime}`,
  needs: [path, scripts],
  start: (settings = words) => startWithTls(settings, ca),
  command: (conversations) => [path ?? "", join(scripts ?? "", "assemblyai-client.mjs"), audio, conversations],
  kinds: [runtime],
  model: "speechModel",
  tries: 3,
  refusal: () => ({ event: "raised" }),
});

const PYTHON: Sdk = {
  name: "the SDK for Python",
  needs: [python],
  start: (settings = words) => InProcessServer.start(settings),
  command: (conversations) => {
    return [join(python ?? "", "bin", "python"), join(clients, "assemblyai_client.py"), audio, conversations];
  },
  kinds: ["sync", "async"],
  model: "speech_model",
  tries: 1,
  refusal: (status) => ({ event: "error", code: status }),
};

function messagesOf(seen: readonly Seen[]): ServerMessage[] {
  return seen.flatMap(({ message }) => {
    // The classes of Python leave it out.
    const completed = message === undefined ? undefined : { utterance: "", ...message };
    return completed === undefined ? [] : [v.parse(serverMessageSchema, completed)];
  });
}

/** Checks a conversation in which ForceEndpoint came in the first utterance. */
function checkConversation(seen: readonly Seen[]): void {
  const messages = messagesOf(seen);
  const turns = messages.filter((message): message is Turn => message.type === "Turn");
  const finals = turns.filter(({ end_of_turn }) => end_of_turn);
  expect(messages[0]).toMatchObject({ type: "Begin", configuration: { model: "words" } });
  expect(messages.filter(({ type }) => type === "Begin")).toHaveLength(1);
  expect(turns.some(({ end_of_turn }) => !end_of_turn)).toBeTrue();
  expect(finals.length).toBeGreaterThanOrEqual(2);
  expect(finals.map(({ turn_order }) => turn_order)).toEqual(finals.map((_, order) => order));
  for (const { transcript, turn_is_formatted, words: spoken } of finals) {
    expect([transcript, turn_is_formatted]).toEqual(["turn left here", true]);
    expect(spoken.map(({ text }) => text)).toEqual(["turn", "left", "here"]);
    expect(spoken[0]?.start ?? 0).toBeLessThan(spoken[2]?.end ?? 0);
  }
  expect(messages.filter(({ type }) => type === "SpeechStarted").length).toBeGreaterThanOrEqual(2);
}

for (const sdk of [javaScript("node", node), javaScript("bun", process.execPath), PYTHON]) {
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
      const guarded = await start({ "auth.tokens": tokens });
      const strict = await start({ ...words, "dialects.strict_models": "on" });
      const limited = await start({ ...words, "limits.session_ms": 2_000 });
      const draining = await start({ ...words, "limits.drain": "now" });
      const conversations = sdk.kinds.flatMap((kind): Conversation[] => {
        const as = (name: string, server: InProcessServer) => {
          return { name: `${kind} ${name}`, kind, url: server.url.replace("http", "ws"), key: "any" };
        };
        return [
          as("plain", plain),
          as("guarded", guarded),
          { ...as("encoding", strict), parameters: { encoding: "opus" } },
          { ...as("model", strict), parameters: { [sdk.model]: "universal-3-6-pro" } },
          { ...as("limited", limited), waits: true },
          { ...as("drained", draining), waits: true },
        ];
      });
      const running = linesOf<Seen>(sdk.command(JSON.stringify(conversations)), { env: { NODE_EXTRA_CA_CERTS: ca } });
      // Of each kind, the utterances of 2 s and 1.2 s have been answered.
      const enough = 3 * sdk.kinds.length;
      const answered = async () => (await draining.metrics()).value("streamer_audio_inferred_seconds_total");
      await waitUntil("both utterances to be answered", async () => (await answered()) > enough);
      await draining.drain();
      seen = await running;
    }

    beforeAll(() => (sdk.needs.includes(undefined) ? undefined : converse()), 120_000);

    testSdk("gets Begin, the begin of speech, partial turns and their ends, and terminates", () => {
      for (const kind of sdk.kinds) {
        const plain = of(`${kind} plain`);
        checkConversation(plain);
        expect(plain.filter(({ event }) => event === "error" || event === "raised")).toEqual([]);
        expect(plain.at(-1)).toMatchObject({ event: "ended" });
      }
      const [server] = servers;
      // An SDK tries again where a busy machine has taken more than a second. That for JavaScript keeps Termination to itself: without it, the SDK would not have come to an end.
      const ends = server?.logged("session_closed").filter(({ code }) => code === 1000);
      expect(ends).toHaveLength(sdk.kinds.length);
      const stops = server?.logged("stream_stopped").filter(({ reason }) => reason === "stop");
      expect(stops).toMatchObject(sdk.kinds.map(() => ({ ledger: [{ failed: 0 }] })));
    });

    testSdk("reports a key, an encoding and a model that are refused", async () => {
      for (const kind of sdk.kinds) {
        const first = ["guarded", "encoding", "model"].map((name) => of(`${kind} ${name}`)[0]);
        expect(first).toMatchObject([401, 400, 400].map(sdk.refusal));
      }
      const metrics = await servers[2]?.metrics();
      const refused = metrics?.value("streamer_sessions_refused_total", { reason: "invalid_request" });
      expect(refused).toBe(2 * sdk.tries * sdk.kinds.length);
    });

    testSdk("gets its results when the server shuts down, and the reason when the time is up", () => {
      for (const kind of sdk.kinds) {
        checkConversation(of(`${kind} drained`));
        expect(messagesOf(of(`${kind} limited`))[0]).toMatchObject({ type: "Begin" });
        expect(of(`${kind} limited`)).toContainEqual(expect.objectContaining({ event: "error", code: 3008 }));
      }
    });
  });
}
