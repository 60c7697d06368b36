import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { encode, speech, wav } from "../support/audio.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import { FakeFfmpeg } from "../support/fake-ffmpeg.ts";
import { sharedServer } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { S16_MONO } from "../support/requests.ts";
import { waitUntil } from "../support/wait.ts";
import { chunk, fmt, littleEndian, wavStart, withBlockAlign } from "../support/wav-bytes.ts";

/** Files as people have them, sent by the executable. */

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const server = await sharedServer();
const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;

const SPOKEN = speech([0.5]);
const S16 = encode("s16", SPOKEN);
const WAV = wav(S16_MONO, S16);

/** ffmpeg that returns the speech, whatever its input. */
const ffmpeg = await FakeFfmpeg.create('cat > /dev/null; cat "$HERE/decoded.wav"');
await Bun.write(join(ffmpeg.folder, "decoded.wav"), WAV);
afterAll(() => ffmpeg[Symbol.asyncDispose]());

/** The first bytes of files, with something behind them. */
const FILES = {
  "a.opus": littleEndian("OggS", new Uint8Array(100)),
  "a.flac": littleEndian("fLaC", new Uint8Array(100)),
  "a.mp3": littleEndian("ID3\u0003", new Uint8Array(100)),
  "a.webm": littleEndian(Uint8Array.fromHex("1a45dfa3"), new Uint8Array(100)),
  "a.m4a": littleEndian([4, 0], "ftypM4A ", new Uint8Array(100)),
};

const DECODINGS = [
  ["a.opus", "an Ogg file (Opus, Vorbis, Speex or FLAC)", "ogg"],
  ["a.flac", "a FLAC file", "flac"],
  ["a.mp3", "MP3 (MPEG audio)", "mp3"],
  ["a.webm", "a WebM or Matroska file", "matroska"],
  ["a.m4a", "an MP4, M4A or QuickTime file", "mov"],
] as const;

for (const [name, bytes] of Object.entries(FILES)) await Bun.write(join(executable.folder, name), bytes);

test.each(DECODINGS)(
  "%s: send decodes %s with the ffmpeg on the PATH, and says so",
  async (name, container, demuxer) => {
    const env = { PATH: ffmpeg.folder };
    const { code, out, err } = await executable.run(["send", "-i", name, "--addr", addr], { env });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(
      `${name}: ${container}, decoded by ffmpeg, length unknown, 16000 Hz, 1 channel, 16 bit -> ws:`,
    );
    expect(out).toContain(`\ninput       ${name}: ${container}, decoded by ffmpeg\n`);
    expect(out).toContain("1 final result, 0 errors; the ledger adds up");
    const path = join(executable.folder, name);
    expect((await ffmpeg.arguments())?.join(" ")).toContain(`-f ${demuxer} -i file:${path} -map 0:a:0`);
  },
);

test("a compressed file is also decoded from standard input, and as JSON the report has who decoded it", async () => {
  const options = { env: { PATH: ffmpeg.folder }, input: FILES["a.webm"] };
  const { code, out, err } = await executable.run(["send", "-i", "-", "--addr", addr, "--format", "json"], options);
  expect(code).toBe(0);
  expect(err).toContain("input       standard input: a WebM or Matroska file, decoded by ffmpeg\n");
  expectExactLedger(parseEvents(out), { bytes: S16.length, frameBytes: 2 });
  expect((await ffmpeg.arguments())?.join(" ")).toContain("-f matroska -i pipe:0 ");
});

test("without ffmpeg on the PATH, send says in one sentence how to convert a compressed file", async () => {
  const { code, out, err } = await executable.run(["send", "-i", "a.mp3", "--addr", addr], { env: { PATH: "/none" } });
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toBe(
    "streamer: a.mp3: is MP3 (MPEG audio); decoding it needs ffmpeg on the PATH: install ffmpeg, or convert the file on another " +
      "machine: ffmpeg -i FILE FILE.wav\n",
  );
});

test("ffmpeg that fails within the audio is a problem, and what came before has its results", async () => {
  await using failing = await FakeFfmpeg.create('cat "$HERE/decoded.wav"; echo "[error] broken file" >&2; exit 1');
  await Bun.write(join(failing.folder, "decoded.wav"), WAV);
  const run = executable.run(["send", "-i", "a.mp3", "--addr", addr], { env: { PATH: failing.folder } });
  const { code, out, err } = await run;
  expect(code).toBe(1);
  expect(out).toContain("1 final result");
  expect(err).toContain("problem: a.mp3: ffmpeg cannot decode it: broken file");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s ends ffmpeg, and the audio that was sent has its results", async (signal, code) => {
  await using endless = await FakeFfmpeg.create('cat "$HERE/decoded.wav"; while head -c 3200 /dev/zero; do :; done');
  await Bun.write(
    join(endless.folder, "decoded.wav"),
    littleEndian(wavStart([chunk("fmt ", fmt(1, 1, 16_000, 16))], { dataBytes: 0xffffffff }), S16),
  );
  const child = Bun.spawn([executable.path, "send", "-i", "a.mp3", "--addr", addr, "--real-time"], {
    cwd: executable.folder,
    env: { PATH: endless.folder },
    stdout: "pipe",
    stderr: "pipe",
  });
  let out = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!out.includes("count=") && text.includes("count=")) child.kill(signal);
    out += text;
  }
  expect(await child.exited).toBe(code);
  expect(out).toContain("the ledger adds up");
  await waitUntil("the end of ffmpeg", async () => !(await endless.isRunning()));
});

test("a send that is killed takes ffmpeg with it", async () => {
  await using endless = await FakeFfmpeg.create('cat "$HERE/decoded.wav"; while head -c 32000 /dev/zero; do :; done');
  await Bun.write(
    join(endless.folder, "decoded.wav"),
    wavStart([chunk("fmt ", fmt(1, 1, 16_000, 16))], { dataBytes: 0xffffffff }),
  );
  const child = Bun.spawn([executable.path, "send", "-i", "a.mp3", "--addr", addr, "--real-time"], {
    cwd: executable.folder,
    env: { PATH: endless.folder },
    stdout: "pipe",
  });
  const reader = child.stdout.getReader();
  await reader.read();
  expect(await endless.isRunning()).toBe(true);
  child.kill("SIGKILL");
  await waitUntil("the end of ffmpeg", async () => !(await endless.isRunning()));
});

const FMT = chunk("fmt ", fmt(1, 1, 16_000, 16));
const REST = S16.length;

/** WAV files that other programs read, and what a warning says. */
test.each([
  ["block align 1", wavStart([chunk("fmt ", withBlockAlign(fmt(1, 1, 16_000, 16), 1))], { dataBytes: REST }), ""],
  ["block align 0", wavStart([chunk("fmt ", withBlockAlign(fmt(1, 1, 16_000, 16), 0))], { dataBytes: REST }), ""],
  [
    "a data size of 0 and a right RIFF size",
    wavStart([FMT], { dataBytes: 0, riffSize: 36 + REST }),
    "its header declares 0 bytes of audio, and more follow; the audio is read up to the end",
  ],
  [
    "a file that goes on behind its data size",
    wavStart([FMT], { dataBytes: 100, riffSize: 36 + REST }),
    "its header declares 100 bytes of audio, and more follow; the audio is read up to the end",
  ],
  ["a chunk of 2 MiB before data", wavStart([chunk("JUNK", new Uint8Array(2 ** 21)), FMT], { dataBytes: REST }), ""],
  ["an odd chunk without a pad byte", wavStart([FMT, littleEndian("LIST", [4, 3], "abc")], { dataBytes: REST }), ""],
  ["sizes of a pipe", wavStart([FMT], { dataBytes: 0xffffffff, riffSize: 0xffffffff }), ""],
  [
    "a data size beyond the end",
    wavStart([FMT], { dataBytes: REST + 20 }),
    `is cut off: 20 of the ${REST + 20} bytes of audio that its header declares are missing`,
  ],
])("a WAV file with %s is sent as it was meant", async (_, start, warning) => {
  await Bun.write(join(executable.folder, "a.wav"), littleEndian(start, S16));
  const input = littleEndian(start, S16);
  for (const [args, options] of [
    [["send", "-i", "a.wav"], {}],
    [["send", "-i", "-"], { input }],
  ] as const) {
    const run = await executable.run([...args, "--addr", addr, "--format", "json"], options);
    expect(run.code).toBe(0);
    expectExactLedger(parseEvents(run.out), { bytes: REST, frameBytes: 2 });
    const warnings = run.err.split("\n").filter((line) => line.startsWith("warning: "));
    expect(warnings).toEqual(warning === "" ? [] : [expect.stringContaining(warning)]);
  }
});
