import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, speech, wav } from "../../support/audio.ts";
import { parseEvents, sharedExecutable } from "../../support/executable.ts";
import { sharedServer } from "../../support/in-process-server.ts";
import { ledgerProblems, onlyStream } from "../../support/ledgers.ts";
import { testWith, tool } from "../../support/requirements.ts";
import {
  bytesFrom,
  floats,
  maxDifference,
  readSound,
  readWithFfmpeg,
  signalToNoise,
} from "../../support/sound-files.ts";

/** WAV files in every encoding that ffmpeg and SoX write, as files and as pipes leave them, read by `send`. */

setDefaultTimeout(600_000);

const ffmpeg = tool("ffmpeg", "ffmpeg");
const sox = tool("sox", "sox");
const testPrograms = testWith(ffmpeg, sox);

const executable = await sharedExecutable();
const server = await sharedServer();
const addr = `ws://127.0.0.1:${server.port}/api/v1/simple`;
const folder = await mkdtemp(join(tmpdir(), "streamer-encodings-"));
afterAll(() => rm(folder, { recursive: true }));

const CHANNELS = [1, 2, 8] as const;
const RATE = 16_000;

/** A WAV file of 16-bit speech, another voice in each channel; and its samples, interleaved. */
async function source(channels: number): Promise<{ path: string; samples: Float32Array }> {
  const voices = Array.from({ length: channels }, (_, n) => speech([0.5], { rate: RATE, seed: 10 * n + 1 }));
  const data = encode("s16", ...voices);
  const path = join(folder, `source-${channels}.wav`);
  await Bun.write(path, wav({ channels, sample_rate: RATE, bit_depth: 16, is_float: false }, data));
  const values = new Int16Array(data.buffer, data.byteOffset, data.length / 2);
  return { path, samples: Float32Array.from(values, (value) => value / 32_768) };
}

/** dB by which the speech must exceed the loss of an encoding. Integers of 16 bits and more, and floats, are exact. */
const LOSSY: Readonly<Record<string, number>> = { u8: 15, unsigned: 15, law: 25, adpcm: 10 };

/** A file in one encoding. */
interface Written {
  /** The encoding, how it was written, and its channels. */
  readonly name: string;
  readonly path: string;
  readonly encoding: string;
  readonly channels: number;
  /** A file, or what came through a pipe. */
  readonly how: string;
}

/** Checks what `send` makes of a file. Returns a sentence for each fault. */
async function faults({ name, path, encoding, channels, how }: Written, original: Float32Array): Promise<string[]> {
  const problems: string[] = [];
  const sound = await readSound(path).catch((error: unknown) => String(error));
  if (typeof sound === "string") return [`${name}: ${sound}`];
  const reference = await readWithFfmpeg(ffmpeg!, path);
  if (reference === undefined || maxDifference(sound.samples, reference) > 0) {
    problems.push(`${name}: the samples differ from those that ffmpeg reads`);
  }
  const lossy = Object.keys(LOSSY).find((part) => encoding.includes(part));
  const isOther = /^(g7|mp|ac3|libmp|libgsm|gsm)/.test(encoding);
  // The others have a delay, a spectrum, a rate or channels of their own.
  if (!isOther && (sound.channels !== channels || sound.sampleRate !== RATE)) {
    problems.push(`${name}: ${sound.channels} channels at ${sound.sampleRate} Hz`);
  } else if (lossy !== undefined) {
    const ratio = signalToNoise(original, sound.samples);
    if (ratio < LOSSY[lossy]!) problems.push(`${name}: ${ratio.toFixed(1)} dB above the difference to the source`);
  } else if (!isOther && maxDifference(sound.samples, original) > 1e-6) {
    problems.push(`${name}: the samples differ from the source`);
  }
  const env = { PATH: process.env["PATH"] ?? "" };
  const input = how === "pipe" ? await Bun.file(path).bytes() : undefined;
  const args = ["send", "-i", input === undefined ? path : "-", "--addr", addr, "--format", "json"];
  const { code, out, err } = await executable.run(args, input === undefined ? { env } : { env, input });
  const sent = { bytes: sound.samples.length, frameBytes: sound.channels };
  const found = code === 0 ? ledgerProblems(onlyStream(parseEvents(out)), sent) : [`exit code ${code}`];
  found.push(...err.split("\n").filter((line) => line.startsWith("warning: ") && !line.includes("ffmpeg reports")));
  return [...problems, ...found.map((problem) => `${name}: ${problem}`)];
}

/** Encoders whose output in WAV ffmpeg itself can read. */
const READABLE = /^(pcm_|adpcm_|g722|g726$|libgsm_ms|flac|libmp3lame|mp2$|ac3$)/;

/** The audio encoders of this ffmpeg. */
async function encoders(): Promise<string[]> {
  const text = Buffer.from((await bytesFrom([ffmpeg!, "-hide_banner", "-encoders"])) ?? []).toString();
  const names = text.split("\n").flatMap((line) => /^ A\S+ (\S+)/.exec(line)?.[1] ?? []);
  return names.filter((name) => READABLE.test(name));
}

/** Writes a WAV file with ffmpeg: to a file, as RF64, or to a pipe. Undefined: it has no such encoding for WAV. */
async function writeWithFfmpeg(
  input: string,
  encoding: string,
  channels: number,
  how: string,
): Promise<Written | undefined> {
  const name = `${encoding}, ${how}, ${channels} channels`;
  const path = join(folder, `${name}.wav`);
  const output = how === "pipe" ? "pipe:1" : path;
  const flags = ["-v", "quiet", "-y", "-i", input, "-c:a", encoding, ...(how === "RF64" ? ["-rf64", "always"] : [])];
  const bytes = await bytesFrom([ffmpeg!, ...flags, "-f", "wav", output]);
  if (bytes === undefined) return undefined;
  if (how === "pipe") await Bun.write(path, bytes);
  return { name, path, encoding, channels, how };
}

/** Encodings that every ffmpeg writes; fewer would mean that these tests test nothing. */
const FFMPEG_ENCODINGS = ["pcm_alaw", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_s16le", "pcm_s24le", "pcm_s32le"];

for (const channels of CHANNELS) {
  testPrograms(
    `send reads every encoding of ffmpeg in WAV, from files, RF64 and pipes: ${channels} channels`,
    async () => {
      const { path, samples } = await source(channels);
      const problems: string[] = [];
      const written = new Set<string>();
      for (const encoding of await encoders()) {
        // More channels are mixed by ffmpeg, which gives the files of two channels again.
        if (channels > 2 && !encoding.startsWith("pcm_")) continue;
        // The heads that RF64 and pipes leave are the same for any number of channels.
        const ways = encoding.startsWith("pcm_") && channels === 2 ? ["file", "RF64", "pipe"] : ["file"];
        for (const how of ways) {
          const file = await writeWithFfmpeg(path, encoding, channels, how);
          if (file === undefined) continue;
          written.add(encoding);
          problems.push(...(await faults(file, samples)));
        }
      }
      expect(problems).toEqual([]);
      expect([...written]).toEqual(expect.arrayContaining(FFMPEG_ENCODINGS));
    },
  );
}

/** `-e` and `-b` of SoX for WAV. */
const SOX_ENCODINGS = [
  ["signed-integer", "16"],
  ["signed-integer", "24"],
  ["signed-integer", "32"],
  ["unsigned-integer", "8"],
  ["floating-point", "32"],
  ["floating-point", "64"],
  ["a-law", "8"],
  ["mu-law", "8"],
  ["ms-adpcm", "4"],
  ["ima-adpcm", "4"],
  ["gsm-full-rate", undefined],
] as const;

// One channel is in what ffmpeg writes, above.
for (const channels of CHANNELS.slice(1)) {
  testPrograms(`send reads every encoding of SoX in WAV, from files and pipes: ${channels} channels`, async () => {
    const { path: input, samples } = await source(channels);
    const problems: string[] = [];
    let count = 0;
    for (const [encoding, bits] of SOX_ENCODINGS) {
      // ADPCM has at most two channels, and GSM one: SoX writes files that no program can read, or mixes the channels.
      if (channels > 2 && encoding.endsWith("adpcm")) continue;
      if (channels > 1 && encoding.startsWith("gsm")) continue;
      for (const [how, type] of [
        ["file", "wav"],
        ["file", "wavpcm"],
        ["file", "amb"],
        ["pipe", "wav"],
      ] as const) {
        const name = `${encoding} ${bits}, ${type} ${how}, ${channels} channels`;
        const path = join(folder, `${name}.wav`);
        const format = ["-e", encoding, ...(bits === undefined ? [] : ["-b", bits]), "-t", type];
        const bytes = await bytesFrom([sox!, "-D", input, ...format, how === "pipe" ? "-" : path]);
        if (bytes === undefined) problems.push(`${name}: SoX does not write it`);
        if (how === "pipe" && bytes !== undefined) await Bun.write(path, bytes);
        problems.push(...(await faults({ name, path, encoding, channels, how }, samples)));
        count += 1;
      }
    }
    expect(problems).toEqual([]);
    expect(count).toBeGreaterThanOrEqual(32);
  });
}

testPrograms("a WAV file of 20 bits, and one of 24 bits in an extensible header, keep their samples", async () => {
  const { path: input, samples } = await source(2);
  const path = join(folder, "s24-3-channels.wav");
  // SoX writes the extensible form for more than 16 bits.
  await bytesFrom([sox!, "-D", input, "-e", "signed-integer", "-b", "24", path]);
  const header = Buffer.from(await Bun.file(path).bytes());
  expect(header.readUInt16LE(20)).toBe(0xfffe);
  header.writeUInt16LE(20, 38);
  await Bun.write(path, header);
  expect(maxDifference((await readSound(path)).samples, samples)).toBeLessThan(1e-6);
});

testPrograms("the samples that SoX itself reads are those that send reads", async () => {
  const { path } = await source(2);
  const raw = await bytesFrom([sox!, path, "-t", "f32", "-"]);
  expect(maxDifference((await readSound(path)).samples, floats(raw!))).toBeLessThan(1e-6);
});
