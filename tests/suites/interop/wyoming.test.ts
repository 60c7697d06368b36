// The package that Home Assistant speaks the Wyoming protocol with, unmodified, in a process of its own.

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
const folder = await mkdtemp(join(tmpdir(), "streamer-wyoming-"));
const audio = join(folder, "audio.raw");
await writeFile(audio, encode("s16", speech([0.8, 0.6])));
const port = await freePort();
const server = await InProcessServer.start({
  "model.name": join(import.meta.dir, "../../support/models/words.ts"),
  "wyoming.port": port,
});
afterAll(async () => {
  await server.waitUntilIdle();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the package wyoming", () => {
  testWith(python)(
    "gets the description within a second, and one transcript for each command on one connection",
    async () => {
      const program = join(clients, "wyoming_client.py");
      const command = [join(python ?? "", "bin", "python"), program, `tcp://127.0.0.1:${port}`, audio];
      const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
      const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      expect(err).toBe("");
      const [info, ...seen] = out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(info).toEqual({
        event: "info",
        installed: true,
        streaming: true,
        model: "words",
        languages: ["en"],
        attribution: "Streamer",
      });
      const text = "turn left here";
      const events = seen.map(({ event, text }) => (typeof text === "string" ? `${String(event)}: ${text}` : event));
      const transcript = [
        "transcript-start",
        `transcript-chunk: ${text} `,
        `transcript-chunk: ${text} `,
        `transcript: ${text} ${text}`,
        "transcript-stop",
      ];
      expect(events).toEqual([...transcript, "pong: ping 0", ...transcript, "pong: ping 1"]);
      expect(seen.find(({ event }) => event === "transcript")).toMatchObject({ language: "en" });
    },
    120_000,
  );
});
