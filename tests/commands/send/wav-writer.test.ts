import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import * as v from "valibot";
import { WaveFile } from "wavefile";

import { type WavHeader, WavHeaderReader } from "../../../src/audio/wav-header.ts";
import { WavWriter } from "../../../src/commands/send/wav-writer.ts";
import { Denoiser, denoiseSettings } from "../../../src/model/built-in/denoise.ts";
import { concat, encode, noise, voice, wav } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { RECORDING } from "../../support/recorded.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const root = join(import.meta.dir, "..", "..", "..");

let folder = "";
let server: InProcessServer;
let addr = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-output-"));
  server = await InProcessServer.start({ "models.denoise.name": "denoise", "models.denoise.workers": 2 });
  addr = `ws://localhost:${server.port}/api/v1/stateful`;
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function sh(command: string): Promise<{ code: number; out: string; err: string }> {
  const send = `'${process.execPath}' src/main.ts send --addr ${addr} --set model=denoise`;
  const child = Bun.spawn(["sh", "-c", command.replace("SEND", () => send)], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { code, out, err };
}

/** Reads a file with an independent reader. */
async function read(path: string): Promise<{ rate: number; format: string; channels: Float32Array[] }> {
  const file = new WaveFile(await Bun.file(path).bytes());
  const { sampleRate, numChannels, bitsPerSample, audioFormat } = file.fmt as Record<string, number>;
  const samples = file.getSamples(false, Float32Array) as unknown as Float32Array | Float32Array[];
  return {
    rate: sampleRate ?? 0,
    format: `${audioFormat} ${bitsPerSample}`,
    channels: numChannels === 1 ? [samples as Float32Array] : (samples as Float32Array[]),
  };
}

async function headerOf(path: string): Promise<WavHeader> {
  const result = new WavHeaderReader(Infinity).push(await Bun.file(path).bytes());
  if (result.status !== "header") throw new Error("no WAV file");
  return result.header;
}

/** Returns what the model makes of the samples in one step. */
function denoised(samples: Float32Array): Float32Array {
  const model = new Denoiser(v.parse(denoiseSettings, {}));
  const [output, state] = model.step(samples, model.start());
  return concat(output?.audio ?? new Float32Array(0), model.finish(state).audio);
}

test("the file has the audio of a denoised stream, bit for bit, in the length that was sent", async () => {
  const input = concat(noise(0.7, { level: 0.02 }), voice(0.9, { seed: 6 })).slice(0, 25_117);
  const format = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
  const [from, to] = [join(folder, "mono.wav"), join(folder, "mono-out.wav")];
  await Bun.write(from, wav(format, encode("f32", input)));
  for (const chunk of [4, 1234, 65_536]) {
    const { code, out, err } = await sh(`SEND -i ${from} --output ${to} --chunk-size ${chunk}`);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("25,117 samples per channel at 16,000 Hz");
    const { rate, format, channels } = await read(to);
    expect({ rate, format }).toEqual({ rate: 16_000, format: "3 32" });
    expect(channels).toEqual([denoised(input)]);
  }
});

test("the channels of a recording become the channels of one file, each as long as it was decoded", async () => {
  const to = join(folder, "stereo.wav");
  const { code, out } = await sh(`SEND -i '${RECORDING}' -o ${to}`);
  expect(code).toBe(0);
  expect(out).toContain("output      ");
  const { channels } = await read(to);
  expect(channels.map(({ length }) => length)).toEqual([288_000, 288_000]);
  expect(await headerOf(to)).toMatchObject({
    format: { channels: 2, sample_rate: 16_000 },
    dataBytes: 288_000 * 8,
  });
  // The channels are two different speakers.
  const power = (part: Float32Array) => part.reduce((sum, x) => sum + x * x, 0);
  for (const side of channels) expect(power(side)).toBeGreaterThan(1);
  expect(channels[0]).not.toEqual(channels[1]!);
});

test("the file is complete even if the reader of standard output has gone", async () => {
  const to = join(folder, "unread.wav");
  const { err } = await sh(`(SEND -i '${RECORDING}' --output ${to} --format json; echo "exit $?" >&2) | head -n 1`);
  expect(err).toContain("exit 0\n");
  expect((await read(to)).channels[0]).toHaveLength(288_000);
});

test("a model without audio is a problem, and an existing file is left unchanged", async () => {
  const to = join(folder, "kept.wav");
  await Bun.write(to, "kept");
  const child = await sh(`SEND --set model=simulated -i '${RECORDING}' --output ${to}`);
  expect(child.code).toBe(1);
  expect(child.err).toContain("not written: no result had audio");
  expect(await Bun.file(to).text()).toBe("kept");
  const fresh = join(folder, "fresh.wav");
  expect((await sh(`SEND --set model=simulated -i '${RECORDING}' --output ${fresh}`)).code).toBe(1);
  expect(await Bun.file(fresh).exists()).toBe(false);
});

test("an invalid output is refused before anything is sent, and a failed connection leaves no file", async () => {
  await mkdir(join(folder, "directory"));
  const from = join(folder, "same.wav");
  await Bun.write(from, Bun.file(RECORDING));
  for (const [output, text] of [
    [from, "is the input file"],
    [join(folder, "directory"), "--output"],
    [join(folder, "nowhere", "out.wav"), "--output"],
  ] as const) {
    const { code, out, err } = await sh(`SEND -i ${from} --output ${output}`);
    expect({ code, out }, output).toEqual({ code: 2, out: "" });
    expect(err).toContain(text);
  }
  expect(await Bun.file(from).bytes()).toEqual(await Bun.file(RECORDING).bytes());
  const before = await readdir(folder);
  const child = Bun.spawn(
    [process.execPath, "src/main.ts", "send", "-i", from, "-o", join(folder, "no.wav"), "--addr", "ws://localhost:1/"],
    { cwd: root, stderr: "ignore" },
  );
  expect(await child.exited).toBe(3);
  expect(await readdir(folder)).toEqual(before);
});

test("channels may arrive in any order and pace, and the shorter ones end in silence", async () => {
  const writes = fc.array(fc.record({ channel: fc.nat(2), length: fc.integer({ min: 1, max: 50 }) }), { minLength: 1 });
  let turn = 0;
  await fc.assert(
    fc.asyncProperty(writes, async (writes) => {
      const path = join(folder, `order-${turn++}.wav`);
      const wanted = [0, 1, 2].map((): number[] => []);
      {
        await using file = await WavWriter.open(path, 3);
        let value = 0;
        for (const { channel, length } of writes) {
          const samples = Float32Array.from({ length }, () => ++value);
          wanted[channel]!.push(...samples);
          await file.write(channel, samples, 8000);
        }
        // The file can be read if the program ends here.
        expect((await headerOf(path)).dataBytes).toBeUndefined();
        await file.finish();
      }
      const longest = Math.max(...wanted.map(({ length }) => length));
      const { channels } = await read(path);
      expect(channels.map((channel) => [...channel])).toEqual(
        wanted.map((channel) => Array.from({ length: longest }, (_, i) => channel[i] ?? 0)),
      );
    }),
    { numRuns: 30 },
  );
});

test("audio at another sample rate is refused", async () => {
  await using file = await WavWriter.open(join(folder, "rates.wav"), 1);
  await file.write(0, new Float32Array(10), 16_000);
  expect(file.write(0, new Float32Array(10), 8_000)).rejects.toThrow("audio at 8000 Hz after audio at 16000 Hz");
});
