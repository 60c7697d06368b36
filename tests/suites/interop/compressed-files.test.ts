import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech, wav } from "../../support/audio.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import { sharedServer } from "../../support/in-process-server.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { bytesFrom, maxDifference, readSound, readWithFfmpeg } from "../../support/sound-files.ts";

/** Files that are not WAV, written by ffmpeg, sent by the executable. */

setDefaultTimeout(600_000);

const ffmpeg = tool("ffmpeg", "ffmpeg");
const testFfmpeg = testWith(ffmpeg);

const executable = await sharedExecutable();
const server = await sharedServer();
const addr = `ws://127.0.0.1:${server.port}/api/v1/simple`;
const folder = await mkdtemp(join(tmpdir(), "streamer-compressed-"));
afterAll(() => rm(folder, { recursive: true }));

const env = { PATH: process.env["PATH"] ?? "" };
const CHANNELS = 2;
const data = encode("s16", speech([0.5], { rate: 48_000 }), speech([0.5], { rate: 48_000, seed: 9 }));
const SOURCE = join(folder, "source.wav");
await Bun.write(SOURCE, wav({ channels: CHANNELS, sample_rate: 48_000, bit_depth: 16, is_float: false }, data));
const samples = Float32Array.from(
  new Int16Array(data.buffer, data.byteOffset, data.length / 2),
  (value) => value / 32_768,
);

async function write(name: string, ...flags: string[]): Promise<string> {
  const path = join(folder, name);
  expect(await bytesFrom([ffmpeg!, "-v", "error", "-y", "-i", SOURCE, ...flags, path]), name).toBeDefined();
  return path;
}

testFfmpeg.each([
  ["talk.mp3", "MP3 (MPEG audio)", ["-c:a", "libmp3lame"], "lossy"],
  [
    "talk without a tag.mp3",
    "MP3 (MPEG audio)",
    ["-c:a", "libmp3lame", "-id3v2_version", "0", "-write_xing", "0"],
    "lossy",
  ],
  ["talk.mp2", "MP3 (MPEG audio)", ["-c:a", "mp2"], "lossy"],
  ["talk.flac", "a FLAC file", ["-c:a", "flac"], "exact"],
  ["talk of 24 bits.flac", "a FLAC file", ["-c:a", "flac", "-sample_fmt", "s32"], "exact"],
  ["talk.ogg", "an Ogg file (Opus, Vorbis, Speex or FLAC)", ["-c:a", "libvorbis"], "lossy"],
  ["talk.opus", "an Ogg file (Opus, Vorbis, Speex or FLAC)", ["-c:a", "libopus"], "lossy"],
  ["talk as FLAC.ogg", "an Ogg file (Opus, Vorbis, Speex or FLAC)", ["-c:a", "flac"], "exact"],
  ["talk.webm", "a WebM or Matroska file", ["-c:a", "libopus"], "lossy"],
  ["talk.mka", "a WebM or Matroska file", ["-c:a", "flac"], "exact"],
  ["talk as PCM.mkv", "a WebM or Matroska file", ["-c:a", "pcm_s16le"], "exact"],
  ["talk.m4a", "an MP4, M4A or QuickTime file", ["-c:a", "aac"], "lossy"],
  [
    "talk with its index in front.m4a",
    "an MP4, M4A or QuickTime file",
    ["-c:a", "aac", "-movflags", "faststart"],
    "lossy",
  ],
  [
    "talk in fragments.mp4",
    "an MP4, M4A or QuickTime file",
    ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"],
    "lossy",
  ],
  ["talk as ALAC.m4a", "an MP4, M4A or QuickTime file", ["-c:a", "alac", "-movflags", "faststart"], "exact"],
  ["talk as PCM.mov", "an MP4, M4A or QuickTime file", ["-c:a", "pcm_s16be"], "exact"],
] as const)("%s: send decodes %s to the samples that ffmpeg reads", async (name, container, flags, loss) => {
  const path = await write(name, ...flags);
  const sound = await readSound(path);
  expect(sound).toMatchObject({ channels: CHANNELS, sampleRate: 48_000, decoding: `${container}, decoded by ffmpeg` });
  expect(maxDifference(sound.samples, (await readWithFfmpeg(ffmpeg!, path))!)).toBe(0);
  if (loss === "exact") expect(maxDifference(sound.samples, samples)).toBe(0);
  const frames = sound.samples.length / CHANNELS;
  const args = ["send", "--addr", addr, "--format", "json"];
  const file = await executable.run([...args, "-i", path], { env });
  expect(file.err).toContain(`input       ${path}: ${container}, decoded by ffmpeg`);
  expectExactLedger(parseEvents(file.out), { bytes: frames, frameBytes: 1 });
  if (container === "an MP4, M4A or QuickTime file" && !flags.some((flag) => flag === "-movflags")) return;
  const pipe = await executable.run([...args, "-i", "-"], { env, input: await Bun.file(path).bytes() });
  const fromPipe = expectExactLedger(parseEvents(pipe.out));
  // Without seeking, ffmpeg does not see the length of an MP3 file, and keeps the padding of its last frame.
  expect(fromPipe.stopped.channels[0]!.received - frames).toBeWithin(0, 1153);
});

testFfmpeg("sample rate and channels of a file are kept", async () => {
  for (const [rate, channels] of [
    ["8000", "1"],
    ["44100", "6"],
    ["192000", "2"],
  ] as const) {
    const path = await write(`${rate}-${channels}.flac`, "-ar", rate, "-ac", channels);
    expect(await readSound(path)).toMatchObject({ channels: Number(channels), sampleRate: Number(rate) });
  }
});

testFfmpeg("the first audio stream of a video is decoded, and a video without audio is refused", async () => {
  const video = ["-f", "lavfi", "-i", "color=size=16x16:rate=5:duration=1"];
  const both = await write("both.mkv", ...video, "-map", "1:v", "-map", "0:a", "-c:a", "pcm_s16le");
  expect(maxDifference((await readSound(both)).samples, samples)).toBe(0);
  const silent = await write("silent.mkv", ...video, "-map", "1:v");
  const { code, err } = await executable.run(["send", "-i", silent, "--addr", addr], { env });
  expect({ code, err }).toEqual({
    code: 2,
    err: expect.stringMatching(/ffmpeg cannot decode it: .*matches no streams/),
  });
});

testFfmpeg(
  "a large MP4 file with its index behind the audio is decoded by its name, and explained in a pipe",
  async () => {
    const path = await write("long.m4a", "-af", "aloop=loop=40:size=100000", "-c:a", "aac", "-b:a", "256k");
    const bytes = await Bun.file(path).bytes();
    expect(bytes.length).toBeGreaterThan(1_000_000);
    expect((await readSound(path)).samples.length).toBeGreaterThan(40 * 100_000);
    const { code, err } = await executable.run(["send", "-i", "-", "--addr", addr], { env, input: bytes });
    expect(code).toBe(2);
    expect(err).toContain("in a pipe, the index of this file must be in front of the audio");
  },
);

testFfmpeg("a file that is cut off or damaged gives the audio that ffmpeg can read, and a warning", async () => {
  const whole = await Bun.file(await write("whole.flac", "-c:a", "flac")).bytes();
  const path = join(folder, "cut.flac");
  await Bun.write(path, whole.subarray(0, whole.length / 2));
  const { code, out, err } = await executable.run(["send", "-i", path, "--addr", addr, "--format", "json"], { env });
  expect(code).toBe(0);
  expectExactLedger(parseEvents(out));
  expect(err).toContain(`warning: ${path}: ffmpeg reports: `);
  await Bun.write(path, Buffer.concat([whole.subarray(0, 8), Buffer.alloc(5000, 1)]));
  const broken = await executable.run(["send", "-i", path, "--addr", addr], { env });
  expect(broken).toMatchObject({ code: 2, out: "" });
  expect(broken.err).toContain(`${path}: ffmpeg`);
});

testFfmpeg.each(["aiff", "au", "caf", "w64", "aac", "avi", "wv", "tta", "wma"])(
  "%s files are refused by name, with the command that converts it",
  async (extension) => {
    const path = await write(`other.${extension}`);
    const { code, err } = await executable.run(["send", "-i", path, "--addr", addr], { env });
    expect(code).toBe(2);
    expect(err).toMatch(/: is (an? .* file|AAC).*; allowed: WAV, .*; convert it: ffmpeg -i FILE FILE\.wav\n$/);
  },
);
