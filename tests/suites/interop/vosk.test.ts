// The client that comes with vosk, unmodified, in a process of its own.

import { afterAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, pythonClients } from "../../support/interop-clients.ts";
import { freePort } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";

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
});

async function transcribe(url: string): Promise<void> {
  const program = join(clients, "vosk_client.py");
  const command = [join(python ?? "", "bin", "python"), program, url, audio];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
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
