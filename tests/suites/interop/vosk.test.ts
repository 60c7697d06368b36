// The client that comes with vosk, unmodified, in a process of its own.

import { afterAll, describe, expect } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, pythonClients } from "../../support/interop-clients.ts";
import { freePort } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

const python = await pythonClients();
const folder = await mkdtemp(join(tmpdir(), "streamer-vosk-"));
const audio = join(folder, "audio.raw");
await writeFile(audio, encode("s16", speech([0.8, 0.6])));
const model = join(import.meta.dir, "../../support/models/words.ts");
const port = await freePort();
const server = await InProcessServer.start({ "model.name": model, "vosk.port": port });
afterAll(async () => {
  await server.waitUntilIdle();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("vosk-transcriber", () => {
  testWith(python)(
    "gets an answer to each of its messages, and a last one, on the port of all clients and on one of its own",
    async () => {
      for (const at of [server.port, port]) await transcribe(`ws://127.0.0.1:${at}`);
      expect(server.logged("session_closed")).toMatchObject([{ code: 1000 }, { code: 1000 }]);
    },
    120_000,
  );

  testWith(python)(
    "ends with the status of a refusal, as without a token, and with the close of a server that shuts down",
    async () => {
      const keyring = join(folder, "tokens");
      const hash = hashToken(newToken()).toString("hex");
      await writeFile(keyring, `${formatTokenLine({ name: "somebody", hash, admin: false })}\n`, { mode: 0o600 });
      await using guarded = await InProcessServer.start({ "auth.tokens": keyring });
      expect((await run(guarded.url.replace("http", "ws"), audio)).err).toContain("HTTP 401");

      await using stopping = await InProcessServer.start({ "model.name": model, "limits.drain": "now" });
      const pipe = join(folder, "pipe");
      // The other half comes when a line does.
      const halves = `mkfifo ${pipe} && exec 3>${pipe} && cat ${audio} >&3 && read line && cat ${audio} >&3`;
      await using writer = Bun.spawn(["sh", "-c", halves], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
      await waitUntil("the pipe", () => existsSync(pipe));
      const ended = run(stopping.url.replace("http", "ws"), pipe);
      const answered = async () => (await stopping.metrics()).value("streamer_audio_inferred_seconds_total");
      await waitUntil("a result", async () => stopping.sessions > 0 && (await answered()) > 1);
      await stopping.drain();
      await writer.stdin.write("go on\n");
      await writer.stdin.end();
      expect((await ended).err).toContain("1001 (going away)");
      expect(stopping.logged("session_closed")).toMatchObject([{ code: 1001 }]);
    },
    120_000,
  );
});

/** What the client has printed. @param file of audio */
async function run(url: string, file: string): Promise<{ out: string; err: string; code: number }> {
  const program = join(clients, "vosk_client.py");
  const command = [join(python ?? "", "bin", "python"), program, url, file];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

async function transcribe(url: string): Promise<void> {
  const { out, err, code } = await run(url, audio);
  if (code !== 0) throw new Error(err);
  const results = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { text: string; result?: object[] });
  const texts = results
    .map(({ text }) => text)
    .join(" ")
    .trim();
  expect(texts).toBe("turn left here turn left here");
  expect(results.flatMap(({ result = [] }) => result)).toHaveLength(6);
}
