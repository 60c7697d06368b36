// Riva's and Google's clients for Python, unmodified, in processes of their own.

import { afterAll, describe, expect } from "bun:test";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { connect } from "../../../src/client/client.ts";
import { encode, speech, wav } from "../../support/audio.ts";
import { Authority, credentialsOf } from "../../support/certificates.ts";
import { root } from "../../support/documents.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, linesOf } from "../../support/interop-clients.ts";
import { output } from "../../support/output.ts";
import { freePort } from "../../support/proxies.ts";
import { pythonPackages } from "../../support/python-packages.ts";
import { S16_MONO } from "../../support/requests.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

const TIMEOUT_MS = 300_000;
const SPEECH = join(root, "tests", "data", "two-speakers-48k.wav");
const WAV_HEADER_BYTES = 44;
/** Bytes of the clients' messages. */
const PIECE_BYTES = 9_600;

const python = await pythonPackages(await Bun.file(join(clients, "riva.txt")).text());
const testClient = testWith(python);

const folder = await mkdtemp(join(tmpdir(), "streamer-riva-"));
/** Two utterances. */
const short = join(folder, "short.wav");
await writeFile(short, wav(S16_MONO, encode("s16", speech([0.6, 0.4]))));
const token = newToken();
const tokens = join(folder, "tokens");
const hash = hashToken(token).toString("hex");
await writeFile(tokens, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });

const model = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
const port = await freePort();
const server = await InProcessServer.start({ ...model, "grpc.port": port });
afterAll(async () => {
  await server.waitUntilIdle();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Line = Readonly<Record<string, unknown>> & { readonly kind: string };
type Api = "riva" | "google-v1" | "google-v2";

/** A final result: its channel from 1, its text, and the times of its first and its last word in seconds. */
interface Final {
  readonly channel: unknown;
  readonly text: unknown;
  readonly span: readonly number[];
}

const command = (target: number, ...rest: readonly string[]): string[] => {
  const program = join(python ?? "", "bin", "python");
  return [program, join(clients, "riva_client.py"), `localhost:${target}`, ...rest];
};

async function run(target: number, api: Api, mode: string, file = SPEECH, key = ""): Promise<Line[]> {
  return await linesOf<Line>(command(target, api, mode, file, key));
}

const ordered = (finals: readonly Final[]): Final[] =>
  finals.toSorted((a, b) => Number(a.channel) - Number(b.channel) || (a.span[0] ?? 0) - (b.span[0] ?? 0));

/** Riva's times are whole milliseconds. */
const rounded = (span: unknown): number[] => (span as number[]).map((time) => Math.round(time * 1_000) / 1_000);

function finalsOf(lines: readonly Line[]): Final[] {
  const finals = lines.filter(({ kind, final = true }) => kind === "result" && final === true);
  return ordered(finals.map(({ channel, text, span }) => ({ channel, text, span: rounded(span) })));
}

/** The finals of the same file over a WebSocket. */
async function nativeFinals(): Promise<Final[]> {
  const bytes = (await Bun.file(SPEECH).bytes()).subarray(WAV_HEADER_BYTES);
  const format = { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false } as const;
  const client = await connect(`ws://localhost:${server.port}/api/v1/segmented`, { format });
  const sending = async (): Promise<void> => {
    for (let at = 0; at < bytes.length; at += 96_000) await client.send(bytes.slice(at, at + 96_000));
    client.stop({ disconnect: true });
  };
  const sent = sending();
  const finals: Final[] = [];
  for await (const { event } of client.events) {
    if (event.type !== "segment") continue;
    finals.push({
      channel: event.channel + 1,
      text: event["text"],
      span: rounded([event.start_time, event.end_time]),
    });
  }
  await sent;
  return ordered(finals);
}

for (const [api, mode] of [
  ["riva", "stream"],
  ["google-v1", "raw"],
  ["google-v2", "stream"],
] as const) {
  describe(`the client of ${api}`, () => {
    testClient(
      "gets interims, and the finals that a WebSocket has",
      async () => {
        const lines = await run(port, api, mode);
        expect(finalsOf(lines).length).toBeGreaterThan(5);
        expect(finalsOf(lines)).toEqual(await nativeFinals());
        expect(lines.filter(({ final }) => final === false).length).toBeGreaterThan(1);
        expect(lines.at(-1)).toEqual({ kind: "status", code: "OK" });
        if (mode === "raw") expect(lines.some(({ kind, type }) => kind === "event" && type === 2)).toBeTrue();
      },
      TIMEOUT_MS,
    );

    testClient(
      "gets the results of a file, with a blank between their texts",
      async () => {
        const lines = await run(port, api, "file", short);
        expect(lines.map(({ text }) => text)).toEqual(["turn left here ", "turn left here", undefined]);
      },
      TIMEOUT_MS,
    );
  });
}

describe("the programs of the documentation", () => {
  testClient.each([
    ["riva", 1],
    ["google", 2],
  ])(
    "docs/dialects/%s.md: all %d print the texts",
    async (page, count) => {
      await copyFile(short, join(folder, "speech.wav"));
      await writeFile(join(folder, "speech.raw"), (await Bun.file(short).bytes()).subarray(WAV_HEADER_BYTES));
      const text = await Bun.file(join(root, "docs", "dialects", `${page}.md`)).text();
      const programs = [...text.matchAll(/^```python\n(.*?)^```/gms)].map(([, program = ""]) => program);
      expect(programs).toHaveLength(count);
      for (const program of programs) {
        const here = program.replace("127.0.0.1:50051", `localhost:${port}`);
        expect(here).not.toBe(program);
        const printed = await output([join(python ?? "", "bin", "python"), "-c", here], folder);
        const finals = printed.text.split("\n").filter((line) => line.startsWith("True "));
        expect([printed.code, finals.map((line) => line.trim())]).toEqual([
          0,
          ["True turn left here", "True turn left here"],
        ]);
      }
    },
    TIMEOUT_MS,
  );
});

describe("calls of these clients", () => {
  testClient(
    "list the models, and end after a single utterance",
    async () => {
      expect(await run(port, "riva", "models")).toEqual([
        { kind: "model", name: "words", parameters: { type: "online", streaming: "True", language_code: "multi" } },
        { kind: "status", code: "OK" },
      ]);
      const lines = await run(port, "google-v1", "single", short);
      expect(lines.filter(({ final }) => final !== false)).toMatchObject([
        { kind: "event", type: 1 },
        { kind: "result", final: true },
        { kind: "status", code: "OK" },
      ]);
    },
    TIMEOUT_MS,
  );

  testClient(
    "are refused with a status that says why, and admitted with a token",
    async () => {
      const own = await freePort();
      const authority = await Authority.create();
      const tls = credentialsOf(await authority.issue());
      const settings = { ...model, "grpc.port": own, "auth.tokens": tokens };
      const [status] = await run(port, "riva", "refused");
      const details = "encoding: found FLAC; allowed: LINEAR_PCM, MULAW, ALAW, or none for a WAV file";
      expect(status).toEqual({ kind: "status", code: "INVALID_ARGUMENT", details, error: "unsupported_format" });
      expect(await run(port, "google-v1", "refused")).toMatchObject([{ code: "INVALID_ARGUMENT" }]);
      {
        await using guarded = await InProcessServer.start({ ...settings, "dialects.strict_models": "on" });
        expect(await run(own, "google-v2", "stream")).toMatchObject([
          { code: "UNAUTHENTICATED", error: "unauthorized" },
        ]);
        const details = 'model: found "theirs"; allowed: words';
        expect(await run(own, "riva", "stream", SPEECH, token)).toMatchObject([{ code: "INVALID_ARGUMENT", details }]);
        expect(guarded.sessions).toBe(0);
      }
      await using encrypted = await InProcessServer.start(settings, { tls });
      const ca = join(folder, "ca.pem");
      await writeFile(ca, authority.cert);
      const env = { GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca };
      const lines = await linesOf<Line>(command(own, "google-v1", "tls", short, token), { env });
      expect(lines.at(-1)).toEqual({ kind: "status", code: "OK" });
      expect(finalsOf(lines)).toHaveLength(2);
      await waitUntil("the end of the session", () => encrypted.sessions === 0);
    },
    TIMEOUT_MS,
  );

  testClient(
    "are held back by a model that takes its time, and get their results when the server shuts down",
    async () => {
      const own = await freePort();
      {
        const slow = { "model.delay": 0.5, "limits.read_ahead_seconds": 1, "limits.inbox_bytes": 65_536 };
        await using busy = await InProcessServer.start({ ...slow, "grpc.port": own, "dialects.inbox_bytes": 65_536 });
        const held = (await run(own, "riva", "held")).at(-1);
        // Results of three seconds, the inbox, the windows of HTTP/2. Without a limit it is ten times that.
        expect(held?.["bytes"]).toBeLessThan(20_000_000);
        await busy.waitUntilIdle();
      }
      await using leaving = await InProcessServer.start({ ...model, "grpc.port": own, "limits.drain": "now" });
      const client = run(own, "riva", "drained", short);
      const messages = 1 + Math.ceil(Bun.file(short).size / PIECE_BYTES);
      const received = async () => (await leaving.metrics()).value("streamer_received_messages_total");
      await waitUntil("the audio", async () => (await received()) >= messages);
      await leaving.drain();
      const lines = await client;
      expect(finalsOf(lines)).toHaveLength(2);
      expect(lines.at(-1)).toMatchObject({ kind: "status", code: "UNAVAILABLE", error: "draining" });
    },
    TIMEOUT_MS,
  );
});
