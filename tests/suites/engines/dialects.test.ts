// Real speech, as a recording of 48 kHz, through the SDKs of other services to a recogniser.

import { afterAll, expect } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { demoRecording } from "../../../scripts/bench/support/transcribed-speech.ts";
import { encode } from "../../support/audio.ts";
import { BUILD_MS, Executable, parseEvents } from "../../support/executable.ts";
import { installedExample } from "../../support/installed-example.ts";
import { clients, linesOf, pythonClients } from "../../support/interop-clients.ts";
import { freePort } from "../../support/proxies.ts";
import { recorded, RECORDING } from "../../support/recorded.ts";
import { testWith } from "../../support/requirements.ts";

const model = await installedExample("moonshine");
const python = await pythonClients();
const RATE = 48_000;
/** The first two commands of the recording, and the pause behind them. */
const SECONDS = 9;
const PATIENCE_MS = 240_000;

/** Clients that have results for each channel. */
const STEREO = ["deepgram", "deepgram_file"] as const;
/** Clients whose streams have one channel. AssemblyAI's gives the server 5 s from its end of the audio. */
const MONO = [
  { client: "openai" },
  { client: "assemblyai", realTime: true },
  { client: "speechmatics" },
  { client: "wyoming" },
  { client: "vosk" },
  { client: "openai_file" },
] as const;

/** A final text, as an application of an SDK gets it. */
interface Final {
  readonly name: string;
  readonly channel: number;
  readonly text: string;
}

const executable = model === undefined || python === undefined ? undefined : await Executable.create();
afterAll(async () => await executable?.[Symbol.asyncDispose]());

testWith(executable)(
  "a recogniser has the same words for SDKs of other services as for its own clients, on two channels at 48 kHz",
  async () => {
    const { folder, path } = executable!;
    const port = await freePort();
    const settings = { "model.workers": 1, "wyoming.port": port };
    const server = await executable!.serve(settings, ["--model", join(model!, "model.ts")]);
    const url = server.url.replace("http", "ws");
    const [both, one] = [join(folder, "both.raw"), join(folder, "one.raw")];
    await writeFile(both, demoRecording().bytes);
    await writeFile(one, encode("s16", (await recorded(1, RATE)).subarray(0, SECONDS * RATE)));

    const command = [path, "send", "-i", RECORDING, "--addr", `${url}/api/v1/segmented`, "--format", "json"];
    const own = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    const talks = [
      ...STEREO.map((client) => ({ name: client, client, url, audio: both, rate: RATE, channels: 2 })),
      ...MONO.map((talk) => {
        const at = talk.client === "wyoming" ? `tcp://127.0.0.1:${port}` : url;
        return { name: talk.client, url: at, audio: one, rate: RATE, channels: 1, ...talk };
      }),
    ];
    const program = [join(python!, "bin", "python"), join(clients, "speech_client.py"), JSON.stringify(talks)];
    const [finals, sent] = await Promise.all([linesOf<Final>(program, { mayFail: false }), own.stdout.text()]);

    const native = parseEvents(sent).filter((event) => event.type === "segment" && event.is_final === true);
    const words = (channel: number, until = Infinity): string =>
      native
        .flatMap((event) => {
          return event.type === "segment" && event.channel === channel && event.end_time < until ? [event["text"]] : [];
        })
        .join(" ");
    expect(words(1, SECONDS)).toContain("Go forward ten meters.");
    const heard = (name: string, channel = 0): string =>
      finals
        .filter((final) => final.name === name && final.channel === channel)
        .map(({ text }) => text)
        .join(" ");
    for (const client of STEREO)
      expect([client, heard(client, 0), heard(client, 1)]).toEqual([client, words(0), words(1)]);
    for (const { client } of MONO) expect([client, heard(client)]).toEqual([client, words(1, SECONDS)]);
  },
  BUILD_MS + PATIENCE_MS,
);
