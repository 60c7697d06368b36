// Word errors of a speech recogniser, and its cost: clean recordings, the same in white noise, and the recording of the
// demo.
//
//   bun run bench words [examples/moonshine/model.ts ...]
//
// Needs the packages of the model, and the Debian package pocketsphinx-testdata. Whole clips are one call each, on
// /api/v1/simple, or the steps of a stream, on /api/v1/stateful, if the model decodes as people speak. The demo is cut by
// voice activity detection, on /api/v1/segmented, and sent twice: at full speed, and in real time for the latency, which
// includes the 500 ms of silence that end an utterance.

import { join, resolve } from "node:path";

import type { StartFields } from "../../src/client/types/start.ts";
import { buildExecutable } from "../build.ts";
import { printMachine } from "./support/machine.ts";
import { recognise, wholePattern } from "./support/recognise.ts";
import { ServerProcess } from "./support/server-process.ts";
import { type Clip, demoRecording, transcribedSpeech } from "./support/transcribed-speech.ts";
import { generator } from "./support/vad-scenes.ts";
import { spokenWords, wordErrors } from "./support/word-errors.ts";

const SNRS_DB = [20, 10, 5];
/** Workers of the server whose memory is compared with that of one, and whose latency is measured. */
const MANY = 2;

const RECORDING = join(import.meta.dir, "../../tests/data/two-speakers-48k.wav");
type Format = StartFields["format"];
const MONO: Format = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
const DEMO: Format = { channels: 2, sample_rate: 48_000, bit_depth: 16, is_float: false };
const BYTES_PER_SECOND = (DEMO.sample_rate * DEMO.channels * DEMO.bit_depth) / 8;

const models = process.argv.length > 2 ? process.argv.slice(2) : ["examples/moonshine/model.ts"];
const executable = await buildExecutable();

printMachine();
for (const model of models) await report(resolve(model));

async function report(model: string): Promise<void> {
  console.log(`\n${model}`);
  const begun = performance.now();
  await using server = await serve(model, 1);
  const loadMs = performance.now() - begun;
  const loadCpuMs = server.cpuMs;
  let seconds = 0;
  for (const [name, clips] of Object.entries(transcribedSpeech())) {
    await score(`${name}, clean`, server, clips);
    for (const snr of SNRS_DB) await score(`${name}, noise ${snr} dB below`, server, clips.map(noisy(snr)));
    for (const { samples } of clips) seconds += ((1 + SNRS_DB.length) * samples.length) / MONO.sample_rate;
  }
  const share = (server.cpuMs - loadCpuMs) / 1000 / seconds;
  const { bytes, texts } = demoRecording();
  const heard = await recognise(server.host, "segmented", DEMO, bytes);
  print(
    "demo",
    texts.map((text, side) => ({ text, heard: heard[side] ?? "" })),
  );
  console.log(`  ${share.toFixed(3)} of a core for speech in real time, without interim results`);
  console.log(
    `  ${(loadMs / 1000).toFixed(1)} s from the start of the server until one worker is ready, ` +
      `${(loadCpuMs / 1000).toFixed(1)} s of processor time`,
  );
  await using many = await serve(model, MANY);
  for (let stream = 0; stream < MANY; stream++) await recognise(many.host, "segmented", DEMO, bytes);
  const worker = (many.rssMib - server.rssMib) / (MANY - 1);
  console.log(`  ${worker.toFixed(0)} MiB a worker: a server with ${MANY} has ${many.rssMib.toFixed(0)} MiB`);
  for (const interims of [[], ["--interim-results"]]) {
    const before = many.cpuMs;
    const latency = await realTime(many, interims);
    const cores = (many.cpuMs - before) / 1000 / (bytes.length / BYTES_PER_SECOND);
    console.log(`  demo in real time${interims.length > 0 ? ", with interim results" : ""}: ${latency}`);
    console.log(`    ${cores.toFixed(3)} of a core for both channels together`);
  }
}

function serve(model: string, workers: number): Promise<ServerProcess> {
  // A block is longer than any clip.
  const settings = [`model.workers=${workers}`, "simple.block_ms=10000"].flatMap((setting) => ["--set", setting]);
  return ServerProcess.start([executable, "serve", "--port", "0", "--model", model, ...settings]);
}

async function score(name: string, server: ServerProcess, clips: readonly Clip[]): Promise<void> {
  const pattern = await wholePattern(server.host);
  const results: { text: string; heard: string }[] = [];
  for (const { text, samples } of clips) {
    const [heard = ""] = await recognise(server.host, pattern, MONO, new Uint8Array(samples.slice().buffer));
    results.push({ text, heard });
  }
  print(name, results);
}

function print(name: string, results: readonly { readonly text: string; readonly heard: string }[]): void {
  let [errors, words] = [0, 0];
  for (const { text, heard } of results) {
    const reference = spokenWords(text);
    errors += wordErrors(reference, spokenWords(heard));
    words += reference.length;
  }
  const share = ((100 * errors) / words).toFixed(1);
  console.log(`  ${name.padEnd(28)} ${share.padStart(5)} % word errors (${errors} of ${words} words)`);
}

/** The line of `streamer send` with the latency. */
async function realTime({ host }: ServerProcess, flags: readonly string[]): Promise<string> {
  const send = [executable, "send", "-i", RECORDING, "--real-time", "--addr", `ws://${host}/api/v1/segmented`];
  const child = Bun.spawn([...send, ...flags], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const out = await child.stdout.text();
  return /^latency +(.*)$/m.exec(out)?.[1] ?? `send ended with ${await child.exited}`;
}

/** Adds white noise, so many dB below the mean power of the clip. The same for each run. */
function noisy(snr: number): (clip: Clip, seed: number) => Clip {
  return ({ text, samples }, seed) => {
    const random = generator(seed);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // Uniform in +-1 has a power of 1/3.
    const level = Math.sqrt(3 * power * 10 ** (-snr / 10));
    return { text, samples: samples.map((sample) => sample + level * (2 * random() - 1)) };
  };
}
