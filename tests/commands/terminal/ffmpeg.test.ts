import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { join } from "node:path";

import { FOREIGN_KINDS } from "../../../src/audio/foreign-kinds.ts";
import { DecodeError, demuxerFor, FfmpegDecoder, type FfmpegOptions } from "../../../src/commands/terminal/ffmpeg.ts";
import { FakeFfmpeg } from "../../support/fake-ffmpeg.ts";
import { waitUntil } from "../../support/wait.ts";
import { rejection } from "../../support/wire.ts";

type Options = Partial<FfmpegOptions>;

function decoder(fake: FakeFfmpeg, options: Options = {}): FfmpegDecoder {
  return new FfmpegDecoder({ program: fake.path, demuxer: "mp3", input: "/a.mp3", ...options });
}

/** All output of the script, decoded as Latin-1. */
async function output(fake: FakeFfmpeg, options: Options = {}): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decoder(fake, options).bytes()) pieces.push(piece.slice());
  return Buffer.concat(pieces).toString("latin1");
}

test.each([
  ["an absolute path", "/music/a.mp3", "file:/music/a.mp3"],
  ["a relative path", "a.mp3", `file:${join(process.cwd(), "a.mp3")}`],
  ["a name that begins with a dash", "-a.mp3", `file:${join(process.cwd(), "-a.mp3")}`],
  [
    "a name that looks like a URL",
    "http://example.org/a.mp3",
    `file:${join(process.cwd(), "http:/example.org/a.mp3")}`,
  ],
  ["a name with spaces and quotes", "/a 'b' %d;$x.mp3", "file:/a 'b' %d;$x.mp3"],
])("ffmpeg gets one demuxer and %s, and may open nothing else", async (_, input, url) => {
  await using fake = await FakeFfmpeg.create("printf audio");
  expect(await output(fake, { input })).toBe("audio");
  expect((await fake.arguments())?.join(" ")).toBe(
    "-nostdin -hide_banner -loglevel level+warning -max_alloc 268435456 -protocol_whitelist file,pipe -f mp3 " +
      `-i ${url} -map 0:a:0 -vn -sn -dn -map_metadata -1 -c:a pcm_f32le -f wav pipe:1`,
  );
});

test("references of a QuickTime file to other files are switched off", async () => {
  await using fake = await FakeFfmpeg.create("printf audio");
  await output(fake, { demuxer: "mov" });
  expect((await fake.arguments())?.join(" ")).toContain("file,pipe -enable_drefs 0 -f mov");
});

test("only demuxers that read one file of one kind are used", () => {
  const demuxers = Object.fromEntries(FOREIGN_KINDS.map(({ id }) => [id, demuxerFor(id)]));
  const used = Object.entries(demuxers).filter(([, demuxer]) => demuxer !== undefined);
  expect(Object.fromEntries(used)).toEqual({
    flac: "flac",
    matroska: "matroska",
    mov: "mov",
    mp3: "mp3",
    ogg: "ogg",
    rifx: "wav",
  });
  expect(demuxerFor("wav")).toBe("wav");
});

test("a pipe is given to ffmpeg byte for byte, also when it is large and its buffer is used again", async () => {
  await using fake = await FakeFfmpeg.create("sha256sum");
  const hash = createHash("sha256");
  async function* pipe(): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(65_536);
    for (let n = 0; n < 200; n++) {
      buffer.fill(n);
      hash.update(buffer);
      yield buffer;
    }
  }
  expect(await output(fake, { input: pipe() })).toStartWith(hash.digest("hex"));
  expect((await fake.arguments())?.join(" ")).toContain("-f mp3 -i pipe:0");
});

test("ffmpeg may end before it has read all of a pipe", async () => {
  await using fake = await FakeFfmpeg.create("head -c 5");
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(100_000).fill(0x78);
    } finally {
      closed = true;
    }
  }
  expect(await output(fake, { input: endless() })).toBe("xxxxx");
  await waitUntil("the pipe to be closed", () => closed);
});

test("ffmpeg waits while its output is not read", async () => {
  await using fake = await FakeFfmpeg.create('while head -c 100000 /dev/zero; do printf x >> "$HERE/written"; done');
  const written = async (): Promise<number> => Bun.file(join(fake.folder, "written")).size;
  const bytes = decoder(fake).bytes();
  await bytes.next();
  let before = -1;
  await waitUntil("ffmpeg to stop writing", async () => {
    const now = await written();
    const hasStopped = now === before;
    before = now;
    await Bun.sleep(100);
    return hasStopped;
  });
  expect(before).toBeLessThan(100);
  expect(await fake.isRunning()).toBe(true);
  await bytes.return();
});

test("ffmpeg is ended when its output is not needed any more", async () => {
  await using fake = await FakeFfmpeg.create("while printf audio; do :; done");
  for await (const _ of decoder(fake).bytes()) break;
  expect(await fake.isRunning()).toBe(false);
});

test("an interrupt ends ffmpeg and its output, without an error", async () => {
  await using fake = await FakeFfmpeg.create("printf audio; exec sleep 100");
  const abort = new AbortController();
  const pieces: string[] = [];
  for await (const piece of decoder(fake, { interrupt: abort.signal }).bytes()) {
    pieces.push(Buffer.from(piece).toString());
    abort.abort();
  }
  expect(pieces).toEqual(["audio"]);
  expect(await fake.isRunning()).toBe(false);
  expect(await output(fake, { interrupt: AbortSignal.abort() })).toBe("");
});

test("ffmpeg is ended when it gives no audio for too long", async () => {
  await using fake = await FakeFfmpeg.create("exec sleep 100");
  const error = await rejection(output(fake, { stallMs: 20 }));
  expect(error).toBeInstanceOf(DecodeError);
  expect(String(error)).toContain("ffmpeg gave no audio for 0.02 s");
  expect(await fake.isRunning()).toBe(false);
});

test("a pipe that has nothing at the moment does not count as a delay of ffmpeg", async () => {
  await using fake = await FakeFfmpeg.create("cat");
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("a");
    await Bun.sleep(3200);
    yield Buffer.from("b");
  }
  expect(await output(fake, { input: slow(), stallMs: 1500 })).toBe("ab");
});

test("a pipe that cannot be read is reported", async () => {
  await using fake = await FakeFfmpeg.create("cat");
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("a");
    throw new Error("EIO: i/o error");
  }
  expect(String(await rejection(output(fake, { input: broken() })))).toContain("EIO: i/o error");
});

test.each([
  [
    "[mov @ 0x55d0] [error] moov atom not found\\n[error] file:/a.mp3: Invalid data found when processing input",
    "moov atom not found",
  ],
  [
    "[error] file:/tmp/x: y/a.mp3: Invalid data found when processing input",
    "y/a.mp3: Invalid data found when processing input",
  ],
  ["[error] the cause\\n[warning] a warning\\n    Last message repeated 1 times", "the cause"],
  ["[warning] only a warning", "only a warning"],
  ["no level, as old versions have it", "no level, as old versions have it"],
  ["[error] \\033[31mred\\007 title\\033]0;x", "[31mred title]0;x"],
  ["", "no message, exit code 1"],
])("a failure shows the last message with a cause: %#", async (messages, cause) => {
  await using fake = await FakeFfmpeg.create(`printf '${messages.replaceAll("%", "%%")}\\n' >&2; exit 1`);
  const error = await rejection(output(fake));
  expect(error).toBeInstanceOf(DecodeError);
  expect((error as Error).message).toBe(`ffmpeg cannot decode it: ${cause}`);
});

test("however much ffmpeg reports, a short line is shown", async () => {
  await using fake = await FakeFfmpeg.create("head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1");
  expect(((await rejection(output(fake))) as Error).message.length).toBeLessThan(400);
});

test("a signal that ended ffmpeg is named", async () => {
  await using fake = await FakeFfmpeg.create("kill -SEGV $$");
  expect(String(await rejection(output(fake)))).toContain("no message, SIGSEGV");
});

test("errors and warnings of ffmpeg that succeeds are kept for a remark, each once", async () => {
  await using fake = await FakeFfmpeg.create(
    "echo '[error] Header missing' >&2; echo '[warning] odd' >&2; printf audio",
  );
  const decoding = decoder(fake);
  for await (const _ of decoding.bytes());
  expect(decoding.takeMessage({ warnings: false })).toBe("Header missing");
  expect(decoding.takeMessage({ warnings: false })).toBeUndefined();
});

test("a program that cannot be run is reported", async () => {
  await using fake = await FakeFfmpeg.create("");
  expect(() => decoder(fake, { program: join(fake.folder, "none") })).toThrow(DecodeError);
  expect(() => decoder(fake, { program: fake.folder })).toThrow(`cannot run ${fake.folder}`);
});
