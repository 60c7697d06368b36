// The clients of examples/clients/, each in its own language, against the executable; and the commands of their README.

import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";

import { formatTokenLine } from "../../../src/auth/token-line.ts";
import { hashToken, newToken } from "../../../src/auth/token.ts";
import { wav } from "../../support/audio.ts";
import { commandLines } from "../../support/command-lines.ts";
import { type ExampleClient, exampleClients, finalsOf, RECORDING } from "../../support/example-clients.ts";
import { example } from "../../support/example-harness.ts";
import { type CommandResult, type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { modelPath } from "../../support/pool-harness.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(120_000);

/** Bytes of the header of the recording. */
const HEADER = 44;
const executable = await sharedExecutable();
const clients = await exampleClients();
const token = newToken();
const recordings = ["two-speakers.wav", "mono.wav", "floats.wav"].map((name) => join(executable.folder, name));
const model = { "model.name": modelPath("quoting"), "model.workers": 1 };
/** Results to wait for: longer than libraries wait for a pong, or for the sending of one. */
const RESULTS = 3;
/** Wants the token. */
let server: ServeProcess;
/** What `send` prints for each of the recordings. */
let sent: string[];

beforeAll(async () => {
  const samples = (await readFile(RECORDING)).subarray(HEADER);
  // The left channel, every third sample: 16 kHz.
  const mono = Buffer.alloc(samples.length / 6);
  for (let at = 0; at < mono.length; at += 2) mono.writeInt16LE(samples.readInt16LE(at * 6), at);
  await copyFile(RECORDING, recordings[0]!);
  await writeFile(recordings[1]!, wav({ channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false }, mono));
  const floats = Buffer.alloc(mono.length * 2);
  for (let at = 0; at < mono.length; at += 2) floats.writeFloatLE(mono.readInt16LE(at) / 32_768, at * 2);
  await writeFile(recordings[2]!, wav({ channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true }, floats));
  const hash = hashToken(token).toString("hex");
  const tokens = join(executable.folder, "tokens");
  await writeFile(tokens, `${formatTokenLine({ name: "client", hash, admin: false })}\n`, { mode: 0o600 });
  server = await executable.serve({ ...model, "auth.tokens": tokens });
  const outputs = recordings.map((file) => {
    const args = ["send", "--format", "json", "-i", file, "--addr", server.url];
    return executable.run(args, { env: { STREAMER_TOKEN: token } });
  });
  sent = (await Promise.all(outputs)).map(({ out }) => out);
  expect(sent.map((out) => finalsOf(out).length)).toEqual([7, 3, 3]);
});

function addressOf({ url }: ServeProcess): string {
  return `${url.replace("http", "ws")}/api/v1/segmented`;
}

/** Starts a client. Its environment has nothing but these variables and the PATH. */
function start({ command, path = [] }: ExampleClient, args: readonly string[], env: Record<string, string> = {}) {
  const PATH = [...path, process.env["PATH"]].join(delimiter);
  return Bun.spawn([...(command ?? []), ...args], {
    cwd: executable.folder,
    env: { ...env, PATH },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function run(...given: Parameters<typeof start>): Promise<CommandResult> {
  const child = start(...given);
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

describe.each(clients)("the example $name", (client) => {
  const testClient = testWith(client.command);

  testClient(
    "prints the finals of a file as send does, to the byte, of two channels, of one, and of floats",
    async () => {
      const env = { STREAMER_TOKEN: token };
      for (const [n, file] of recordings.entries()) {
        const { code, out, err } = await run(client, [file, addressOf(server)], env);
        expect({ code, err }).toEqual({ code: 0, err: client.name === "websocat" ? expect.any(String) : "" });
        expect(out.split("\n").sort()).toEqual([...finalLines(sent[n]!), ""].sort());
      }
    },
  );

  testClient("ends with a reason when the start or the connection is refused, or the header is damaged", async () => {
    const [file] = recordings as [string];
    const silent = join(executable.folder, "no-channels.wav");
    const none = { channels: 0, sample_rate: 16_000, bit_depth: 16, is_float: false };
    await writeFile(silent, wav(none, Buffer.alloc(3200)));
    const [start, connection, nobody, damaged] = await Promise.all([
      run(client, [file, addressOf(server), "nobody"], { STREAMER_TOKEN: token }),
      run(client, [file, addressOf(server)]),
      run(client, [file, "ws://127.0.0.1:9/api/v1/segmented"]),
      run(client, [silent, addressOf(server)], { STREAMER_TOKEN: token }),
    ]);
    for (const { code, out } of [start, connection, nobody, damaged])
      expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(start.err).toContain('unknown_model: model: found "nobody"; allowed: quoting');
    expect(connection.err).toContain("401");
    // websocat prints the status only.
    if (client.name !== "websocat") expect(connection.err).toContain("unauthorized");
    expect(nobody.err).toMatch(/refused|connect call failed|no server answers/i);
    expect(damaged.err).toMatch(/^error: .*(damaged|0 channels|no WAV header|unsupported)/);
  });
});

const present = clients.filter(({ command }) => command !== undefined);

/** Starts all clients in real time, ends the server when each has printed a result, and returns how they end. */
async function interrupted(endServer: (server: ServeProcess) => void): Promise<CommandResult[]> {
  await using dying = await executable.serve({ ...model, "limits.drain": "now" });
  const printed = new Map<string, string>();
  const results = present.map(async (client) => {
    const child = start(client, [recordings[0]!, addressOf(dying)], { REAL_TIME: "1" });
    const decoder = new TextDecoder();
    const reading = (async () => {
      for await (const part of child.stdout) {
        printed.set(client.name, (printed.get(client.name) ?? "") + decoder.decode(part, { stream: true }));
      }
    })();
    const [err, code] = await Promise.all([child.stderr.text(), child.exited, reading]);
    return { out: printed.get(client.name) ?? "", err, code };
  });
  await waitUntil("a result of each client", () => printed.size === present.length);
  endServer(dying);
  return await Promise.all(results);
}

// These two wait for most of their time.
test.concurrent(
  "every example ends with a reason when the server dies, or is shut down, in the middle of a stream",
  async () => {
    const signals = ["SIGKILL", "SIGTERM"] as const;
    const ends = await Promise.all(signals.map((signal) => interrupted((dying) => dying.signal(signal))));
    for (const [which, results] of ends.entries()) {
      for (const [n, { code, out, err }] of results.entries()) {
        const { name } = present[n]!;
        expect({ name, code }).toEqual({ name, code: 1 });
        expect(finalsOf(out).length).toBeLessThan(7);
        expect(err).toContain(signals[which] === "SIGTERM" ? "drain" : "");
        expect(err).not.toBe("");
      }
    }
  },
);

test.concurrent("no example gives up a server that holds it back for long, and takes no audio meanwhile", async () => {
  // Each result takes 1 s, and the clients take turns.
  const slow = { "model.delay": 1, "model.workers": 1, "limits.read_ahead_seconds": 1 };
  await using server = await executable.serve(slow);
  const file = join(executable.folder, "long.wav");
  const mono = (await readFile(recordings[1]!)).subarray(HEADER);
  // More than the buffers of the kernel take.
  const data = Buffer.concat(Array.from({ length: 64 }, () => mono));
  await writeFile(file, wav({ channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false }, data));
  const address = `${server.url.replace("http", "ws")}/api/v1/simple`;
  const watched = present.map(async (client) => {
    const child = start(client, [file, address]);
    const reader = child.stdout.getReader();
    let out = "";
    while (out.split("\n").length <= RESULTS) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${client.name} has ended: ${await child.stderr.text()}`);
      out += new TextDecoder().decode(value);
    }
    return { out, child };
  });
  for (const { out, child } of await Promise.all(watched)) {
    expect(out).toContain('"count":8000');
    child.kill();
  }
});

/** What the command lines of the README start, and the packages of Debian that have it. */
const PROGRAMS = {
  curl: "curl",
  ffmpeg: "ffmpeg",
  "gst-launch-1.0": "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good",
  websocat: "websocat",
};

/** The programs that are not there, which has been printed. */
function absentPrograms(PATH: string): string[] {
  const isThere = (name: string) => Bun.which(name, { PATH }) !== null && (name !== "gst-launch-1.0" || hasPlugins());
  return Object.entries(PROGRAMS).flatMap(([name, debianPackages]) => {
    if (isThere(name)) return [];
    reportMissing(`${name} of the README of the examples is not installed (Debian: apt-get install ${debianPackages})`);
    return [name];
  });
}

function hasPlugins(): boolean {
  return ["wavparse", "audioconvert"].every((name) => Bun.spawnSync(["gst-inspect-1.0", "--exists", name]).success);
}

test("the command lines of the README of the examples work as they stand there", async () => {
  const markdown = await readFile(example("clients", "README.md"), "utf8");
  const path = clients.flatMap((client) => client.path ?? []);
  const PATH = [...path, process.env["PATH"]].join(delimiter);
  const absent = absentPrograms(PATH);
  await copyFile(RECORDING, join(executable.folder, "speech.wav"));
  await using open = await executable.serve(model);
  const host = new URL(open.url).host;
  const lines = scripts(markdown).filter((line) => !absent.some((name) => line.includes(`${name} `)));
  expect(lines.length).toBeGreaterThan(absent.length === 0 ? 14 : 0);
  for (const line of lines) {
    const script = line
      .replaceAll("localhost:8080", host)
      .replaceAll("./streamer send", `./streamer send --addr ${host}`);
    const { code, out, err } = await run({ name: line, command: ["bash", "-o", "pipefail", "-c", script], path }, []);
    expect({ line, code, err }).toEqual({ line, code: 0, err: "" });
    // Results of speech have the text of the model; the other commands are about the server.
    expect(out).toContain(
      /speech.wav/.test(line) ? "Grüße" : /api|metrics/.exec(line)![0] === "api" ? "{" : "streamer_",
    );
  }
});

/** The command lines of the fences for the shell. A group in parentheses is one. */
function scripts(markdown: string): string[] {
  const fences = [...markdown.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text!);
  return fences.flatMap((text) =>
    text.startsWith("(") ? [text] : commandLines(`\`\`\`sh\n${text}\`\`\``).map(({ text: line }) => line),
  );
}

/** The lines of `send` with finals. */
function finalLines(out: string): string[] {
  return out.split("\n").filter((line) => line.includes('"is_final":true'));
}
