// Speechmatics' own SDKs, unmodified, in processes of their own: one for all conversations of an SDK.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as v from "valibot";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { type ServerMessage, serverMessageSchema } from "../../../src/dialects/speechmatics/messages.ts";
import { encode, speech, wav } from "../../support/audio.ts";
import { InProcessServer, type Settings } from "../../support/in-process-server.ts";
import { installedPackages } from "../../support/installed-example.ts";
import { clients, linesOf, pythonClients } from "../../support/interop-clients.ts";
import { S16_MONO } from "../../support/requests.ts";
import { testWith } from "../../support/requirements.ts";
import { RAW } from "../../support/speechmatics-client.ts";
import { waitUntil } from "../../support/wait.ts";

const MINUTE = 60_000;
/** Bytes of the clients' messages. */
const PIECE = 1_600;

const node = Bun.which("node") ?? undefined;
const scripts = await installedPackages(clients, "interop-clients");
const python = await pythonClients();

const folder = await mkdtemp(join(tmpdir(), "streamer-speechmatics-"));
/** Two utterances: ForceEndOfUtterance comes in the first. */
const samples = encode("s16", speech([2, 1.2]));
/** Time of ForceEndOfUtterance. */
const FORCED_SECONDS = samples.length / 2 / 32_000;
const file = wav(S16_MONO, samples);
const [raw, wavFile, ogg] = [join(folder, "audio.raw"), join(folder, "audio.wav"), join(folder, "audio.ogg")];
await Promise.all([writeFile(raw, samples), writeFile(wavFile, file), writeFile(ogg, `OggS${"\0".repeat(5_000)}`)]);

const model: Settings = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };
const token = newToken();
const tokens = join(folder, "tokens");
const hash = hashToken(token).toString("hex");
await writeFile(tokens, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });

const open = await InProcessServer.start(model);
const guarded = await InProcessServer.start({ ...model, "auth.tokens": tokens, "dialects.strict_models": "on" });
const limited = await InProcessServer.start({ ...model, "limits.session_ms": 1_500 });
afterAll(async () => {
  await open.waitUntilIdle();
  for (const server of [open, guarded, limited]) await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What an application of an SDK has seen. */
interface Seen {
  readonly name: string;
  readonly event: string;
  readonly message?: unknown;
  readonly reason?: string;
}

/** A client, what its program needs, and what it shows as its key. */
interface Sdk {
  readonly needs: readonly (string | undefined)[];
  readonly command: readonly string[];
  readonly key: () => Promise<string>;
}

const script = join(scripts ?? "", "speechmatics-client.mjs");
const SDKS: Readonly<Record<string, Sdk>> = {
  "JavaScript in node": { needs: [node, scripts], command: [node ?? "", script], key: ticket },
  "JavaScript in bun": { needs: [scripts], command: [process.execPath, script], key: ticket },
  Python: {
    needs: [python],
    command: [join(python ?? "", "bin", "python"), join(clients, "speechmatics_client.py")],
    key: () => Promise.resolve(token),
  },
};

/** A page would get it from its backend. */
async function ticket(): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await guarded.fetch("/api/v1/tickets", { method: "POST", headers });
  return ((await response.json()) as { ticket: string }).ticket;
}

for (const [name, { needs, command, key }] of Object.entries(SDKS)) {
  describe(`the SDK for ${name}`, () => {
    const testSdk = testWith(...needs);
    let seen: Seen[] = [];
    let closes: unknown[] = [];

    beforeAll(async () => {
      if (needs.includes(undefined)) return;
      await using stopping = await InProcessServer.start({ ...model, "limits.drain_timeout_ms": 1_000 });
      const at = (server: InProcessServer) => ({ url: `${server.url.replace("http", "ws")}/v2`, key: "any" });
      const conversations = [
        { name: "raw", ...at(open), audio: raw, format: RAW, flush: true },
        { name: "file", ...at(guarded), key: await key(), audio: wavFile, config: { model: "words" } },
        { name: "nobody", ...at(guarded), audio: wavFile },
        { name: "model", ...at(guarded), key: await key(), audio: wavFile },
        { name: "rate", ...at(open), audio: raw, format: { ...RAW, sample_rate: 1 } },
        { name: "ogg", ...at(open), audio: ogg, waits: true },
        { name: "drained", ...at(stopping), audio: wavFile, waits: true },
        { name: "limited", ...at(limited), audio: wavFile, waits: true },
      ];
      const talks = linesOf<Seen>([...command, JSON.stringify(conversations)]);
      await waitUntil("a stream to be open", () => stopping.logged("stream_started").length === 1);
      await stopping.drain();
      seen = await talks;
      closes = stopping.logged("session_closed").map(({ code }) => code);
    }, MINUTE);

    const messages = (of: string): ServerMessage[] => {
      const own = seen.filter((each) => each.name === of && each.event === "message");
      return own.map(({ message }) => v.parse(serverMessageSchema, message));
    };
    const errors = (of: string) => messages(of).filter((each) => each.message === "Error");
    const reported = (of: string) => seen.filter((each) => each.name === of && each.event === "error");

    /** Returns the names of the messages of a conversation with both utterances, in which `bytes` were sent. */
    function checked(of: string, bytes: number): string[] {
      expect(reported(of)).toEqual([]);
      const all = messages(of);
      const added = all.flatMap((message) => (message.message === "AudioAdded" ? [message.seq_no] : []));
      expect(added).toEqual(Array.from({ length: Math.ceil(bytes / PIECE) }, (_, n) => n + 1));
      const finals = all.filter((message) => message.message === "AddTranscript");
      expect(finals.length).toBeGreaterThanOrEqual(2);
      for (const { metadata, results } of finals) {
        expect(metadata.transcript).toBe("turn left here ");
        expect(results.map(({ alternatives }) => alternatives[0]?.content)).toEqual(["turn", "left", "here"]);
      }
      const names = all.map(({ message }) => message);
      expect([names.at(0), names.at(-1)]).toEqual(["RecognitionStarted", "EndOfTranscript"]);
      expect(names.filter((each) => each === "EndOfUtterance")).toHaveLength(finals.length);
      return names;
    }

    testSdk("gets partial transcripts, finals, speakers, and the answer to ForceEndOfUtterance", () => {
      const names = checked("raw", samples.length);
      for (const each of ["AddPartialTranscript", "SpeakersResult"]) expect(names).toContain(each);
      const [first] = messages("raw").filter((message) => message.message === "EndOfUtterance");
      // The first utterance would go on.
      expect(first?.metadata.end_time).toBeLessThanOrEqual(FORCED_SECONDS);
    });

    testSdk("sends a WAV file as it is, with a key of the server", () => {
      checked("file", file.length);
    });

    testSdk("reports why a key, a model, a format or a file is refused", () => {
      expect(reported("nobody")[0]?.reason).toContain("401");
      expect(errors("model")).toMatchObject([{ type: "invalid_model" }]);
      expect(errors("rate")).toMatchObject([{ type: "invalid_audio_type" }]);
      expect(errors("ogg")).toMatchObject([
        { type: "invalid_audio_type", reason: expect.stringContaining("an Ogg file") },
      ]);
      for (const each of ["model", "rate"]) expect(reported(each)).toHaveLength(1);
    });

    testSdk("gets EndOfTranscript when the server shuts down, and an Error when a session may not go on", () => {
      expect(messages("drained").at(-1)).toEqual({ message: "EndOfTranscript" });
      expect(closes).toEqual([1001]);
      expect(messages("limited").at(-1)).toMatchObject({ message: "Error", type: "session_timeout" });
    });
  });
}
