import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { concat, encode, noise, speech } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { modelPath } from "../support/pool-harness.ts";
import { loggedBy, ProcessesServer } from "../support/processes.ts";
import { freePort } from "../support/proxies.ts";
import { VoskClient } from "../support/vosk-client.ts";
import { CHUNK_FORMAT, eventBytes, WyomingClient } from "../support/wyoming-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const clients = new DisposableStack();
afterAll(() => clients.dispose());

const WORDS = { "model.name": modelPath("words"), "model.workers": 1 };
/** An utterance that has ended, and the beginning of the next one. */
const utterance = encode("s16", concat(speech([0.6]), noise(0.6)));
const begun = encode("s16", speech([0.5]));
const SAID = "turn left here";

/** A client in the middle of a command. */
interface Speaker {
  /** Sends audio, and resolves when the server has read it. */
  say(audio: Uint8Array): Promise<void>;
  /** Ends the command. */
  stop(): void;
  /** Ends the connection, behind everything that was sent. */
  leave(): void;
  /** Waits for the end of the connection. Returns what was said last, and how it has ended. */
  ended(): Promise<string[]>;
}

async function wyoming(port: number): Promise<Speaker> {
  const client = clients.use(await WyomingClient.connect(port));
  let pings = 0;
  return {
    async say(audio) {
      client.write(eventBytes("audio-chunk", CHUNK_FORMAT, audio), eventBytes("ping"));
      await client.event("pong", ++pings);
    },
    stop: () => client.write(eventBytes("audio-stop")),
    leave: () => client.finish(),
    async ended() {
      const end = await client.ended();
      client.finish();
      const isLast = (said: string): boolean => /^(?:transcript:|error)/.test(said);
      const codes = client.events.filter(({ type }) => type === "error").map(({ data }) => String(data["code"]));
      return [...client.said.filter(isLast).map((said) => said.replace(/^error.*/, "error")), ...codes, end];
    },
  };
}

async function vosk(port: number, token?: string): Promise<Speaker> {
  const client = clients.use(await VoskClient.connect(port, token));
  return {
    say: (audio) => client.say(audio),
    stop: () => client.stop(),
    // `eof` is the end of the connection, too.
    leave: () => {},
    ended: () => client.ended(),
  };
}

/** A server with both dialects. */
async function serve(settings: Settings) {
  const port = await freePort();
  const server = await executable.serve({ ...WORDS, "wyoming.port": port, "log.level": "debug", ...settings });
  return { server, port, speakers: async () => [await wyoming(port), await vosk(server.port)] as const };
}

/** Channels of all streams of which samples are not accounted for. */
function inexact(server: ServeProcess): unknown[] {
  type Channel = Record<"decoded" | "inferred" | "silent" | "failed", number>;
  const ledgers = server.log.flatMap(({ ledger = [] }) => ledger as Channel[]);
  expect(ledgers.length).toBeGreaterThan(0);
  return ledgers.filter(({ decoded, inferred, silent, failed }) => decoded !== inferred + silent + failed);
}

describe("a shutdown of the server", () => {
  test("at once gives clients in the middle of a command the text so far, and the process ends well", async () => {
    const { server, speakers } = await serve({ "limits.drain": "now" });
    const [first, second] = await speakers();
    await first.say(utterance);
    await second.say(utterance);
    server.signal("SIGTERM");
    expect(await first.ended()).toEqual([`transcript: ${SAID}`, "FIN"]);
    const told = await second.ended();
    expect([told.join(" ").split(SAID).length - 1, told.at(-1)]).toEqual([1, "1001"]);
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(inexact(server)).toEqual([]);
  });

  test("lets commands go on until their clients end them, and refuses others", async () => {
    const { server, port, speakers } = await serve({});
    const [first, second] = await speakers();
    await first.say(utterance);
    await second.say(utterance);
    server.signal("SIGTERM");
    await loggedBy(server, "draining");
    expect(await (await wyoming(port)).ended()).toEqual(["error", "draining", "FIN"]);
    await expect(vosk(server.port)).rejects.toThrow("refused");
    await first.say(utterance);
    first.stop();
    expect(await first.ended()).toEqual([`transcript: ${SAID} ${SAID}`, "FIN"]);
    await second.say(utterance);
    second.stop();
    const told = await second.ended();
    expect(
      told
        .filter((text) => text.includes(SAID))
        .join(" ")
        .split(SAID),
    ).toHaveLength(3);
    expect(told.at(-1)).toBe("1000");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });
});

test("the sessions of a token that is removed end with that as the reason, and so do later ones", async () => {
  const file = join(executable.folder, "tokens-of-ports");
  const { out } = await executable.run(["token", "new", "home", "--file", file]);
  const tokens = { "auth.tokens": file, "wyoming.principal": "home" };
  const { server, port } = await serve(tokens);
  const [first, second] = [await wyoming(port), await vosk(server.port, out.trim())];
  await first.say(utterance);
  await second.say(utterance);
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => !line.startsWith("home "));
  await writeFile(file, `${lines.join("\n")}\n`);
  expect(await first.ended()).toEqual(["error", "unauthorized", "FIN"]);
  expect((await second.ended()).at(-1)).toBe("1008");
  expect(await (await wyoming(port)).ended()).toEqual(["error", "unauthorized", "FIN"]);
  expect(inexact(server)).toEqual([]);
  server.signal("SIGTERM");
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
});

test("the death of a model's worker is no text: an error and the end over Wyoming, an empty result of vosk", async () => {
  const mortal = { "model.name": modelPath("mortal"), "model.rate": 1 };
  const { server, speakers } = await serve(mortal);
  const [first, second] = await speakers();
  await first.say(utterance);
  first.stop();
  expect(await first.ended()).toEqual(["error", "worker_crashed", "FIN"]);
  await second.say(utterance);
  second.stop();
  const told = await second.ended();
  expect(new Set(told)).toEqual(new Set(["text: ", "1000"]));
  expect(inexact(server)).toEqual([]);
});

test("the death of one of several processes ends its clients only, and others are served at once", async () => {
  const [port, voskPort] = [await freePort(), await freePort()];
  const ports = { "wyoming.port": port, "vosk.port": voskPort };
  await using server = await ProcessesServer.start(executable, { ...WORDS, ...ports });
  await server.untilReady();
  const speakers = [...(await Promise.all(Array.from({ length: 12 }, () => wyoming(port)))), await vosk(voskPort)];
  for (const speaker of speakers) await speaker.say(begun);
  const [victim] = (await server.processes()).toSorted((a, b) => b.sessions - a.sessions);
  process.kill(victim?.pid ?? 0, "SIGKILL");
  await server.logged("process_died");
  const fates = await Promise.all(
    speakers.map(async (speaker) => {
      speaker.stop();
      speaker.leave();
      return (await speaker.ended()).join(" ");
    }),
  );
  const lost = fates.filter((fate) => /^(?:RST|FIN|1006)$/.test(fate));
  expect(lost).toHaveLength(victim?.sessions ?? 0);
  const next = clients.use(await WyomingClient.connect(port));
  next.command(utterance);
  expect((await next.event("transcript")).data["text"]).toBe(SAID);
});
