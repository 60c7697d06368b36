import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
import { openFile, readStream } from "../../../src/commands/terminal/input.ts";
import { openAudioSource } from "../../../src/commands/terminal/open-audio-source.ts";
import { rejection } from "../../support/wire.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-input-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

test("a file that cannot be read is refused with the reason", async () => {
  expect(String(await rejection(openFile(join(folder, "none.wav"))))).toContain("none.wav: no such file");
  expect(String(await rejection(openFile(folder)))).toContain("is a directory");
});

test("an input whose bytes cannot be read is refused in a sentence, not with a stack", async () => {
  // Linux refuses to read the first page of any process.
  await using file = await openFile("/proc/self/mem");
  expect(await rejection(openAudioSource({ ...file, name: "mem.wav" }))).toEqual(
    new UsageError("mem.wav: cannot be read: EIO: i/o error, read"),
  );
  await using empty = await openFile("/dev/null");
  expect(await rejection(openAudioSource({ ...empty, name: "null.wav" }))).toEqual(
    new UsageError("null.wav: is empty"),
  );
});

test("a file is read completely, and its size is known", async () => {
  const path = join(folder, "a.bin");
  const content = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  await Bun.write(path, content);
  await using file = await openFile(path);
  const { bytes, size } = file;
  expect(size).toBe(content.length);
  const read: Uint8Array[] = [];
  for await (const piece of bytes) read.push(piece.slice());
  expect(Buffer.concat(read).equals(Buffer.from(content))).toBe(true);
});

/** Creates a named pipe. */
function namedPipe(name: string): string {
  const path = join(folder, name);
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  return path;
}

test("the open of a named pipe without a writer is given up when the signal is aborted", async () => {
  const path = namedPipe("unopened");
  const abort = new AbortController();
  const opening = rejection(openFile(path, abort.signal));
  abort.abort("interrupted");
  expect(await opening).toBe("interrupted");
  // Frees the thread that still opens the pipe.
  await (await open(path, "r+")).close();
});

test("a read that waits for a named pipe ends when the signal is aborted, and closing does not wait for it", async () => {
  const path = namedPipe("silent");
  await using writer = await open(path, "r+");
  await writer.write("first");
  const abort = new AbortController();
  const read: string[] = [];
  {
    await using file = await openFile(path, abort.signal);
    for await (const piece of file.bytes) {
      read.push(new TextDecoder().decode(piece));
      setTimeout(() => abort.abort(), 1);
    }
  }
  expect(read).toEqual(["first"]);
  // Frees the thread that still reads.
  await writer.write("second");
});

test("a read that waits for a stream ends when the signal is aborted", async () => {
  const abort = new AbortController();
  const silent = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Uint8Array.of(1)) });
  const read: number[] = [];
  for await (const piece of readStream(silent, abort.signal)) {
    read.push(...piece);
    setTimeout(() => abort.abort(), 1);
  }
  expect(read).toEqual([1]);
});
