import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech, wav } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { sharedServer } from "../../support/in-process-server.ts";
import { output } from "../../support/output.ts";
import { withExternalSound } from "../../support/quicktime.ts";
import { S16_MONO } from "../../support/requests.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { bytesFrom } from "../../support/sound-files.ts";
import { littleEndian } from "../../support/wav-bytes.ts";

/** Files that name other files and URLs, sent by the executable with the real ffmpeg. */

setDefaultTimeout(300_000);

const ffmpeg = tool("ffmpeg", "ffmpeg");
const testFfmpeg = testWith(ffmpeg);

const executable = await sharedExecutable();
const server = await sharedServer();
const addr = `ws://127.0.0.1:${server.port}/api/v1/simple`;
const folder = await mkdtemp(join(tmpdir(), "streamer-hostile-"));

/** A server that a hostile file names. */
let connections = 0;
const trap = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      connections += 1;
      socket.end();
    },
    data: () => undefined,
  },
});
const trapUrl = `http://127.0.0.1:${trap.port}/a.ts`;
afterAll(async () => {
  trap.stop(true);
  await rm(folder, { recursive: true });
});

/** A sound that must not be read. */
const canary = join(folder, "canary.wav");
await Bun.write(canary, wav(S16_MONO, encode("s16", speech([0.5]))));

async function send(path: string): Promise<{ code: number; out: string; err: string }> {
  return await executable.run(["send", "-i", path, "--addr", addr], { env: { PATH: process.env["PATH"] ?? "" } });
}

/** Playlists, which ffmpeg recognises by their content, of a file and of a URL. */
const PLAYLISTS = [canary, trapUrl].flatMap((target) => [
  `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${target}\n#EXT-X-ENDLIST\n`,
  `ffconcat version 1.0\nfile '${target}'\n`,
  `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>${target}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
]);

/** What makes a playlist look like a file of each kind. */
const DISGUISES = [
  ["a.mp3", "nothing", ""],
  ["a.mp3", "an ID3 tag", "ID3\u0003\0\0\0\0\0\0"],
  ["a.ogg", "the magic of Ogg", "OggS"],
  ["a.flac", "the magic of FLAC", "fLaC"],
  ["a.webm", "the magic of Matroska", "\u001a\u0045\u00df\u00a3"],
  ["a.mp4", "the magic of MP4", "\0\0\0\u0008ftyp"],
  ["a.wav", "the magic of big-endian WAV", "RIFX\0\0\0\0WAVE"],
] as const;

testFfmpeg.each(DISGUISES)(
  "a playlist that is named %s, with %s in front, opens no file and no connection",
  async (name, _, start) => {
    for (const playlist of PLAYLISTS) {
      const path = join(folder, name);
      await Bun.write(path, littleEndian(start, playlist));
      const { code, out, err } = await send(path);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toStartWith(`streamer: ${path}: `);
    }
    expect(connections).toBe(0);
  },
);

testFfmpeg("ffmpeg by itself would open what a playlist names", async () => {
  const path = join(folder, "a.m3u8");
  await Bun.write(path, PLAYLISTS[3]!);
  const before = connections;
  const flags = ["-nostdin", "-v", "quiet", "-protocol_whitelist", "file,http,tcp", "-allowed_extensions", "ALL"];
  await output([ffmpeg!, ...flags, "-i", path, "-f", "null", "-"], folder);
  expect(connections).toBeGreaterThan(before);
  connections = before;
  await Bun.write(path, PLAYLISTS[1]!);
  const sound = await bytesFrom([ffmpeg!, "-v", "quiet", "-safe", "0", "-i", path, "-f", "s16le", "pipe:1"]);
  expect(sound?.length).toBeGreaterThan(10_000);
});

testFfmpeg("a QuickTime file whose sound lies in another file does not open it", async () => {
  const path = join(folder, "external.mov");
  const flags = ["-v", "error", "-y", "-i", canary, "-c:a", "pcm_s16le", path];
  await bytesFrom([ffmpeg!, ...flags]);
  // A sound of a constant value, which the file itself does not have.
  const other = join(folder, "other.raw");
  await Bun.write(other, new Uint8Array(200_000).fill(0x40));
  await Bun.write(path, withExternalSound(await Bun.file(path).bytes(), other));
  const { code, out, err } = await send(path);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("external.mov: ffmpeg found no audio in it: Skipped opening external track");

  const permissive = ["-v", "error", "-enable_drefs", "1", "-use_absolute_path", "1", "-f", "mov", "-i", path];
  const opened = await bytesFrom([ffmpeg!, ...permissive, "-f", "s16le", "pipe:1"]);
  expect(opened?.subarray(0, 4)).toEqual(new Uint8Array([0x40, 0x40, 0x40, 0x40]));
});

testFfmpeg.each([
  "-a.mp3",
  "http:a.mp3",
  "concat:a.mp3",
  "a %03d;$(touch x)`'\" ö.mp3",
  "subfile,,start,0,end,9,,:a.mp3",
])("the name %j is a name", async (name) => {
  const path = join(executable.folder, name);
  await bytesFrom([ffmpeg!, "-v", "error", "-y", "-i", canary, "-f", "mp3", `file:${path}`]);
  const { code, out } = await send(`./${name}`);
  expect(code).toBe(0);
  expect(out).toContain("MP3 (MPEG audio), decoded by ffmpeg");
  expect(out).toContain("the ledger adds up");
});
