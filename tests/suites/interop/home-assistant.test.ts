// Home Assistant's own code for Wyoming, unmodified, in a process of its own.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { concat, encode, noise, speech } from "../../support/audio.ts";
import { homeAssistantFiles } from "../../support/home-assistant.ts";
import { InProcessServer, type ServerOptions, type Settings } from "../../support/in-process-server.ts";
import { clients, linesOf } from "../../support/interop-clients.ts";
import { freePort } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const files = await homeAssistantFiles();
const folder = await mkdtemp(join(tmpdir(), "streamer-home-assistant-"));
const said = join(folder, "said.raw");
const silence = join(folder, "silence.raw");
beforeAll(async () => {
  await writeFile(said, encode("s16", concat(speech([0.8, 0.6]))));
  await writeFile(silence, encode("s16", noise(1)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const WORDS = { "model.name": join(import.meta.dir, "../../support/models/words.ts") };

/** A server, and Home Assistant, which has been told its address. */
async function home(settings: Settings, options: ServerOptions = {}) {
  const port = await freePort();
  const server = await InProcessServer.start({ ...settings, "wyoming.port": port }, options);
  const program = join(clients, "home_assistant_client.py");
  return {
    server,
    /** Returns what has come of a task. */
    does: async (task: string, audio = said): Promise<unknown[]> =>
      await linesOf(["python3", program, files ?? "", String(port), audio, task], { mayFail: false }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describe("Home Assistant", () => {
  testWith(files)("sets the server up for speech recognition, in the languages that are configured", async () => {
    await using own = await home({ ...WORDS, "wyoming.languages": "en,pt-BR" });
    const [flow, service] = await own.does("set_up");
    expect(flow).toMatchObject({ flow: { title: "streamer" } });
    const languages = ["en", "pt-BR"];
    expect(service).toEqual({ name: "streamer", platforms: ["stt"], has_services: true, languages });
  });

  testWith(files)("gets the text of a command, and an empty one of silence", async () => {
    await using own = await home(WORDS);
    expect(await own.does("command")).toEqual([{ result: "success", text: "turn left here turn left here" }]);
    expect(await own.does("command", silence)).toEqual([{ result: "success", text: "" }]);
    expect(own.server.logged("stream_stopped")).toMatchObject([{ reason: "stop" }, { reason: "stop" }]);
  });

  testWith(files)("gets an error, and no text, when the model fails and when the server ends the command", async () => {
    await using failing = await home({ "model.failure_rate": 1 });
    expect(await failing.does("command")).toEqual([{ result: "error", text: null }]);
    await using refusing = await home({ ...WORDS, "limits.max_channels": 1, "limits.max_message_bytes": 1_024 });
    expect(await refusing.does("command")).toEqual([{ result: "error", text: null }]);
  });

  testWith(files)("asks again while models are loaded, until there are some", async () => {
    await using own = await home(WORDS, { load: false });
    const seen = own.does("wait_for_models");
    await waitUntil("the first question", async () => {
      const metrics = await own.server.metrics();
      return metrics.value("streamer_sessions_refused_total", { reason: "not_ready" }) > 0;
    });
    await own.server.load();
    expect(await seen).toEqual([{ loading: true }, { platforms: ["stt"] }]);
  });
});
