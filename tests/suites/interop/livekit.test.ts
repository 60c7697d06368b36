// LiveKit Agents, unmodified, with its plug-ins for other services.

import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { clients, linesOf, livekit } from "../../support/interop-clients.ts";
import { testWith } from "../../support/requirements.ts";

setDefaultTimeout(120_000);

const python = await livekit();
const folder = await mkdtemp(join(tmpdir(), "streamer-livekit-"));
const server = await InProcessServer.start({ "model.name": join(import.meta.dir, "../../support/models/words.ts") });
afterAll(async () => {
  await server.waitUntilIdle();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** An event of the stream of a recogniser. */
interface SpeechEvent {
  readonly event: string;
  readonly alternatives: readonly { readonly text: string; readonly start: number; readonly end: number }[];
}

/**
 * What an agent gets through a plug-in while these seconds of speech are sent.
 * @param more after how many final transcripts it leaves, where the stream does not end by itself
 */
async function converse(plugin: string, seconds: readonly number[], ...more: string[]): Promise<SpeechEvent[]> {
  const audio = join(folder, `${plugin}.raw`);
  await writeFile(audio, encode("s16", speech(seconds)));
  const program = join(clients, "livekit_client.py");
  const command = [join(python ?? "", "bin", "python"), program, plugin, new URL(server.url).host, audio, ...more];
  return await linesOf<SpeechEvent>(command, { mayFail: false });
}

describe("LiveKit Agents with its plug-in for Deepgram", () => {
  testWith(python)("gets the start of speech, interims, finals and the end of speech of each utterance", async () => {
    const events = await converse("deepgram", [1.5, 1.2]);
    const kinds = events.map(({ event }) => event).filter((event) => event !== "recognition_usage");
    const once = kinds.filter((kind, index) => kind !== kinds[index - 1]);
    const utterance = ["start_of_speech", "interim_transcript", "final_transcript", "end_of_speech"];
    expect(once).toEqual([...utterance, ...utterance]);
    const finals = events.filter(({ event }) => event === "final_transcript");
    expect(finals.map(({ alternatives }) => alternatives[0]?.text)).toEqual(["turn left here", "turn left here"]);
    const [first, second] = finals.map(({ alternatives }) => alternatives[0]);
    expect(first?.start ?? 0).toBeGreaterThan(0.5);
    expect(first?.end ?? 0).toBeLessThan(second?.start ?? 0);
    expect(server.logged("session_closed")).toMatchObject([{ code: 1000 }]);
  });
});

describe("LiveKit Agents with its plug-in for AssemblyAI", () => {
  testWith(python)("gets the start of speech, interims, a final and the end of speech of each turn", async () => {
    const events = await converse("assemblyai", [1, 0.8]);
    const kinds = events.map(({ event }) => event).filter((event) => event !== "recognition_usage");
    // Behind each end of a turn, the plug-in repeats its text as an interim and as one that may be the final.
    const once = kinds.filter((kind, index) => kind !== kinds[index - 1] && kind !== "preflight_transcript");
    const utterance = ["start_of_speech", "interim_transcript", "final_transcript", "end_of_speech"];
    expect(once).toEqual([...utterance, ...utterance]);
    const finals = events.filter(({ event }) => event === "final_transcript");
    expect(finals.map(({ alternatives }) => alternatives[0]?.text)).toEqual(["turn left here", "turn left here"]);
    const [first, second] = finals.map(({ alternatives }) => alternatives[0]);
    expect(first?.start ?? 0).toBeGreaterThan(0.5);
    expect(first?.end ?? 0).toBeLessThan(second?.start ?? 0);
    expect(server.logged("session_closed").at(-1)).toMatchObject({ code: 1000 });
  });
});

describe("LiveKit Agents with its plug-in for OpenAI's Realtime API", () => {
  testWith(python)("gets the start and the end of speech, interims and a final of each utterance", async () => {
    const events = await converse("openai", [1.5, 1.2], "2");
    const kinds = events.map(({ event }) => event).filter((event) => event !== "recognition_usage");
    expect(kinds).toContain("interim_transcript");
    const others = kinds.filter((kind) => kind !== "interim_transcript");
    const utterance = ["start_of_speech", "end_of_speech", "final_transcript"];
    expect(others).toEqual([...utterance, ...utterance]);
    const finals = events.filter(({ event }) => event === "final_transcript");
    expect(finals.map(({ alternatives }) => alternatives[0]?.text)).toEqual(["turn left here", "turn left here"]);
    // The session that it opens, and the settings that it sends at once, are one stream each.
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "openai" });
    expect(server.logged("session_closed").at(-1)).toMatchObject({ streams: 2 });
  });
});

describe("LiveKit Agents with its plug-in for OpenAI's files", () => {
  testWith(python)("gets the text of an utterance that it has found itself", async () => {
    const events = await converse("whisper", [1]);
    expect(events.map(({ event, alternatives }) => [event, alternatives[0]?.text])).toEqual([
      ["final_transcript", "turn left here"],
    ]);
    expect(server.logged("session_opened").at(-1)).toMatchObject({ dialect: "openai" });
  });
});
