// Files through the SDKs of OpenAI and Deepgram, unmodified, in processes of their own, over plain HTTP.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { recordedSchema } from "../../../src/dialects/deepgram/files/messages.ts";
import { verboseSchema } from "../../../src/dialects/openai/files/messages.ts";
import { encode, speech, wav } from "../../support/audio.ts";
import { InProcessServer, type Settings } from "../../support/in-process-server.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { clients, linesOf, pythonClients } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";

const node = Bun.which("node") ?? undefined;
const scripts = await installedPackages(clients, "interop-clients");
const python = await pythonClients();

const TEXT = "turn left here";
const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };
const folder = await mkdtemp(join(tmpdir(), "streamer-files-"));
const token = newToken();
const AUDIO = encode("s16", speech([1.2, 1]));
const [file, other, silence, tokens] = ["speech.wav", "speech.flac", "silence.wav", "tokens"].map((name) =>
  join(folder, name),
) as [string, string, string, string];
const words: Settings = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
let open: InProcessServer;
let guarded: InProcessServer;

beforeAll(async () => {
  await writeFile(file, wav(S16, AUDIO));
  await writeFile(other, Buffer.concat([Buffer.from("fLaC\0\0\0\x22"), AUDIO]));
  await writeFile(silence, wav(S16, Buffer.alloc(3_200)));
  const hash = hashToken(token).toString("hex");
  await writeFile(tokens, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
  open = await InProcessServer.start(words);
  guarded = await InProcessServer.start({
    ...words,
    "auth.tokens": tokens,
    "dialects.strict_models": "on",
    "limits.file_mb": 1,
  });
});

afterAll(async () => {
  await open.waitUntilIdle();
  await Promise.all([open, guarded].map((server) => server[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

/** A call of an SDK. */
interface Case {
  readonly name: string;
  readonly kind: "openai" | "deepgram";
  readonly url: string;
  readonly key: string;
  readonly file: string;
  readonly options: object;
  readonly async?: boolean;
}

/** What it has returned, or thrown. */
interface Seen {
  readonly name: string;
  readonly result?: unknown;
  readonly type?: string;
  readonly error?: { readonly status?: number; readonly body?: unknown; readonly message?: string };
}

/** The calls, all in one process: each process costs a second or more. */
function cases(isAsync: boolean): Case[] {
  const ai = { kind: "openai" as const, url: open.url, key: "any", file, options: {}, async: isAsync };
  const deep = { ...ai, kind: "deepgram" as const };
  const verbose = { response_format: "verbose_json", timestamp_granularities: ["word", "segment"] };
  const closed = { url: guarded.url, key: token };
  return [
    { ...ai, name: "json" },
    { ...ai, name: "text", options: { response_format: "text" } },
    { ...ai, name: "srt", options: { response_format: "srt", language: "en", prompt: "a", temperature: 0.2 } },
    { ...ai, name: "vtt", options: { response_format: "vtt" } },
    { ...ai, name: "verbose", options: verbose },
    { ...ai, name: "stream", options: { stream: true } },
    { ...ai, name: "silence", file: silence },
    { ...ai, name: "container", file: other },
    { ...ai, name: "format", options: { response_format: "xml" } },
    { ...ai, name: "no key", url: guarded.url },
    { ...ai, ...closed, name: "model" },
    { ...ai, ...closed, name: "key", options: { model: "words" } },
    { ...deep, name: "recorded", options: { utterances: true, smart_format: true } },
    { ...deep, name: "container recorded", file: other },
    { ...deep, name: "no key recorded", url: guarded.url },
    { ...deep, ...closed, name: "key recorded", options: { model: "words" } },
  ];
}

function check(lines: readonly Seen[]): void {
  expect(lines.map(({ name }) => name)).toEqual(cases(false).map(({ name }) => name));
  const seen = (name: string): Seen => lines.find((line) => line.name === name) ?? expect.unreachable(name);
  const failed = (name: string): unknown => [seen(name).error?.status, JSON.stringify(seen(name).error?.body)];
  const both = `${TEXT} ${TEXT}`;
  expect(seen("json")).toMatchObject({ result: { text: both, usage: { type: "duration" } } });
  expect(seen("text")).toMatchObject({ result: `${both}\n` });
  expect(seen("srt").result).toMatch(/^1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\nturn left here\n\n2\n/);
  expect(seen("vtt").result).toMatch(/^WEBVTT\n\n00:00:00\.\d{3} --> /);
  const verbose = v.parse(verboseSchema, seen("verbose").result);
  expect([verbose.segments?.length, verbose.words?.length, verbose.language]).toEqual([2, 6, "en"]);
  expect(seen("stream").result).toMatchObject([
    { type: "transcript.text.delta", delta: TEXT },
    { type: "transcript.text.delta", delta: ` ${TEXT}` },
    { type: "transcript.text.done", text: both },
  ]);
  expect(seen("silence")).toMatchObject({ result: { text: "" } });
  expect(failed("container")).toEqual([415, expect.stringContaining("a FLAC file")]);
  expect(failed("format")).toEqual([400, expect.stringContaining("response_format")]);
  expect(failed("no key")).toEqual([401, expect.stringContaining("invalid_api_key")]);
  expect(failed("model")).toEqual([404, expect.stringContaining("model_not_found")]);
  expect(seen("key")).toMatchObject({ result: { text: both } });
  const { results } = v.parse(recordedSchema, seen("recorded").result);
  expect(results.channels[0]?.alternatives[0]?.transcript).toBe(both);
  expect(results.utterances?.map(({ transcript }) => transcript)).toEqual([TEXT, TEXT]);
  expect(failed("container recorded")).toEqual([415, expect.stringContaining("UNSUPPORTED_MEDIA_TYPE")]);
  expect(failed("no key recorded")).toEqual([401, expect.stringContaining("INVALID_AUTH")]);
  expect(seen("key recorded").error).toBeUndefined();
}

const MINUTE = 60_000;
/** Calls whose results have classes of their own in Python. */
const TYPED = ["json", "verbose", "stream", "recorded"];

for (const [runtime, path] of [
  ["node", node],
  ["bun", process.execPath],
] as const) {
  describe(`the SDKs for JavaScript in ${runtime}`, () => {
    testWith(path, scripts)(
      "get every form of the answer to a file, and throw for what is refused",
      async () => {
        const program = join(scripts ?? "", "files-client.mjs");
        check(await linesOf<Seen>([path ?? "", program, JSON.stringify(cases(false))]));
      },
      MINUTE,
    );
  });
}

describe("the SDKs for Python", () => {
  testWith(python)(
    "get every form of the answer to a file, and raise for what is refused, sync and async",
    async () => {
      const program = join(clients, "files_client.py");
      const [sync, all] = [cases(false), [...cases(false), ...cases(true)]];
      const lines = await linesOf<Seen>([join(python ?? "", "bin", "python"), program, JSON.stringify(all)]);
      for (const seen of [lines.slice(0, sync.length), lines.slice(sync.length)]) {
        check(seen);
        const types = seen.flatMap(({ name, type }) => (TYPED.includes(name) ? [type] : []));
        expect(types).toEqual([
          "Transcription",
          "TranscriptionVerbose",
          "TranscriptionTextDeltaEvent",
          "ListenV1Response",
        ]);
      }
    },
    MINUTE,
  );
});
