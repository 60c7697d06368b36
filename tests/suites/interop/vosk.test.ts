// The client that comes with vosk, unmodified, in a process of its own. It has port 2700 built in.

import { afterAll, describe, expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { pythonPackages } from "../../support/python-packages.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";

const PORT = 2_700;

const python = await pythonPackages("vosk==0.3.45\nwebsockets==15.0.1\n", true);
const folder = await mkdtemp(join(tmpdir(), "streamer-vosk-"));
const audio = join(folder, "audio.raw");
await writeFile(audio, encode("s16", speech([0.8, 0.6])));
const model = join(import.meta.dir, "../../support/models/words.ts");
const server = await InProcessServer.start({ "model.name": model, "vosk.port": PORT }).catch((error: unknown) => {
  reportMissing(`port ${PORT}, which vosk has built in, cannot be listened on: ${String(error)}`);
  return undefined;
});
afterAll(async () => {
  await server?.waitUntilIdle();
  await server?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("vosk-transcriber", () => {
  testWith(python, server?.url)(
    "gets an answer to each of its messages, and a last one",
    async () => {
      const program = join(import.meta.dir, "clients", "vosk_client.py");
      const command = [join(python ?? "", "bin", "python"), program, audio];
      const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const [out, , code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect(code).toBe(0);
      const results = out.trim().split("\n").map((line) => JSON.parse(line) as { text: string; result?: object[] });
      const texts = results.map(({ text }) => text).join(" ").trim();
      expect(texts).toBe("turn left here turn left here");
      expect(results.flatMap(({ result = [] }) => result)).toHaveLength(6);
      const closed = server?.logged("session_closed");
      expect(closed).toMatchObject([{ code: 1000 }]);
    },
    120_000,
  );
});
