import { expect, setDefaultTimeout, test } from "bun:test";
import { open } from "node:fs/promises";
import { join } from "node:path";

import { WavHeaderReader } from "../../src/audio/wav-header.ts";
import { type CommandResult, sharedExecutable } from "../support/executable.ts";
import { SendProcess } from "../support/send-process.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const SAMPLE = join(import.meta.dir, "..", "data", "two-speakers-48k.wav");
/** Header, and 18 s of two channels at 16 kHz in 4 bytes. */
const OUTPUT_BYTES = 58 + 288_000 * 2 * 4;
const GOOD = "360 final results, 0 errors; the ledger adds up";

const executable = await sharedExecutable();
const server = await executable.serve({ "model.name": "denoise", "model.workers": 2 });
const SEND = ["-i", SAMPLE, "--addr", `127.0.0.1:${server.port}`, "--pattern", "stateful"];

/** Runs a command line of the shell, in which SEND is the command. */
async function sh(command: string): Promise<CommandResult> {
  const child = Bun.spawn(["sh", "-c", command.replace("SEND", `./streamer send ${SEND.join(" ")}`)], {
    cwd: executable.folder,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

function fileBytes(name: string): Promise<Uint8Array> {
  return Bun.file(join(executable.folder, name)).bytes();
}

test.each(["-", "/dev/stdout"])(
  "--output %s writes the sound to standard output, and the results to standard error",
  async (output) => {
    expect((await sh("SEND --output file.wav")).code).toBe(0);
    const { code, out, err } = await sh(`SEND --output ${output} | cat > pipe.wav; echo done`);
    expect({ code, out }).toEqual({ code: 0, out: "done\n" });
    expect(err).toContain("noise_dbfs");
    expect(err).toContain("output      standard output: 288,000 samples per channel at 16,000 Hz, 32 bit float");
    expect(err).toContain(GOOD);
    const [file, pipe] = [await fileBytes("file.wav"), await fileBytes("pipe.wav")];
    expect(pipe.length).toBe(OUTPUT_BYTES);
    const header = new WavHeaderReader(Infinity).push(pipe);
    expect(header).toMatchObject({ status: "header", header: { dataBytes: undefined } });
    expect(Buffer.compare(pipe.subarray(58), file.subarray(58))).toBe(0);
  },
);

test("the sound can be sent on while it comes: another send reads it as a stream of unknown length", async () => {
  const { code, out } = await sh(
    `SEND -o - 2>errors | ./streamer send -i - --addr 127.0.0.1:${server.port} --pattern stateful`,
  );
  expect(code).toBe(0);
  expect(out).toContain("standard input: length unknown, 16000 Hz, 2 channels, 32 bit float");
  expect(out).toContain("288,000 frames at 16,000 Hz");
});

test("the sound is there while the audio is still being sent", async () => {
  await using sending = new SendProcess(executable, [...SEND, "--real-time", "-o", "-"]);
  await waitUntil("sound", () => sending.out.length > 10_000);
  await sending.signal("SIGINT");
  const { code, err } = await sending.result();
  expect(code).toBe(130);
  expect(err).toContain("sent in real time");
});

test("--output may be a named pipe: send waits for its reader, and results stay on standard output", async () => {
  Bun.spawnSync(["mkfifo", join(executable.folder, "player")]);
  await using sending = new SendProcess(executable, [...SEND, "--output", "player"]);
  await using reader = await open(join(executable.folder, "player"), "r");
  const bytes = await reader.readFile();
  const { code, out, err } = await sending.result();
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toContain(GOOD);
  expect(bytes.length).toBe(OUTPUT_BYTES);
});

test("the first signal ends send while it waits for the reader of a named pipe", async () => {
  Bun.spawnSync(["mkfifo", join(executable.folder, "unread")]);
  await using sending = new SendProcess(executable, [...SEND, "--output", "unread"]);
  await sending.signal("SIGTERM");
  expect(await sending.result()).toEqual({ code: 143, out: "", err: "interrupted before any audio was sent\n" });
});

test("a player that is closed ends the sound: of standard output with the command, of a named pipe with a warning", async () => {
  const piped = await sh('(SEND -o - 2>errors; echo "exit $?" >&2) | head -c 1000 | wc -c');
  expect(piped).toEqual({ code: 0, out: "1000\n", err: "exit 0\n" });
  Bun.spawnSync(["mkfifo", join(executable.folder, "closed")]);
  const named = await sh("(head -c 1000 closed > part &) ; SEND -o closed");
  expect(named.code).toBe(0);
  expect(named.out).toContain(GOOD);
  expect(named.err).toBe("warning: the reader of closed has gone; it gets no more audio\n");
});

test("sound that cannot be written is a failure", async () => {
  expect(await sh("SEND -o - 2>errors > /dev/full; echo $?; grep streamer: errors")).toMatchObject({
    out: "1\nstreamer: cannot write to standard output: ENOSPC: no space left on device, write\n",
  });
  const device = await sh("SEND -o /dev/full");
  expect(device.code).toBe(1);
  expect(device.err).toContain("problem: /dev/full: ENOSPC");
});

test("a terminal as output for sound is refused", async () => {
  let text = "";
  const child = Bun.spawn([executable.path, "send", ...SEND, "-o", "-"], {
    cwd: executable.folder,
    env: { TERM: "xterm" },
    terminal: { cols: 120, rows: 30, data: (_, data) => (text += new TextDecoder().decode(data)) },
  });
  expect(await child.exited).toBe(2);
  child.terminal?.close();
  expect(text.trim()).toBe("streamer: --output -: found a terminal; allowed: a file or a pipe");
});
