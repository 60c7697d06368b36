import { expect } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { demoRecording } from "../../../scripts/bench/support/transcribed-speech.ts";
import { spokenWords, wordErrors } from "../../../scripts/bench/support/word-errors.ts";
import { concat, encode, noise } from "../../support/audio.ts";
import { BUILD_MS, Executable, parseEvents } from "../../support/executable.ts";
import { installedExample } from "../../support/installed-example.ts";
import { type TestPool, testPool } from "../../support/pool-harness.ts";
import { recorded, RECORDING } from "../../support/recorded.ts";
import { testWith } from "../../support/requirements.ts";
import { chunk, fmt, wavStart } from "../../support/wav-bytes.ts";

const folder = await installedExample("moonshine");
const path = join(folder ?? "", "model.ts");
const testHere = testWith(folder);

const RATE = 16_000;
/** Loading takes 2 to 10 s a worker, and recognising a tenth of the time that was spoken. */
const PATIENCE_MS = 120_000;
const limits = { inferenceTimeoutMs: PATIENCE_MS, loadTimeoutMs: PATIENCE_MS };
/** Share of the words. The recording has 8 % on one processor; 8-bit networks differ a little between processors. */
const MOST_ERRORS = 0.2;

const { texts } = demoRecording();

/** Share of the words of a text that are wrong, missing or too many. */
function errorRate(text: string, heard: string): number {
  const reference = spokenWords(text);
  return wordErrors(reference, spokenWords(heard)) / reference.length;
}

/** A WAV file of 16 bits, mono. */
function wav(samples: Float32Array): Buffer {
  const bytes = encode("s16", samples);
  return Buffer.concat([wavStart([chunk("fmt ", fmt(1, 1, RATE, 16))], { dataBytes: bytes.length }), bytes]);
}

async function textOf(kit: TestPool, samples: Float32Array): Promise<string> {
  const lane = kit.lane();
  const outcome = await kit.submit(lane, samples);
  lane.close();
  if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
  expect(outcome.output).toEqual({ text: expect.any(String), language: "en" });
  return String(outcome.output?.["text"]);
}

testHere(
  "the executable writes down what both speakers say, with few word errors, and utterances of more than 30 s",
  async () => {
    await using executable = await Executable.create();
    const server = await executable.serve({ "model.workers": 1 }, ["--model", path]);
    const addr = `${server.url.replace("http", "ws")}/api/v1/segmented`;
    /** Final texts by channel. */
    const send = async (file: string, ...flags: string[]): Promise<string[][]> => {
      const { code, out } = await executable.run(["send", "-i", file, "--addr", addr, "--format", "json", ...flags]);
      expect(code, out).toBe(0);
      const heard: string[][] = [[], []];
      for (const event of parseEvents(out)) {
        if (event.type !== "segment" || event.is_final !== true) continue;
        expect(event).toMatchObject({ language: "en" });
        heard[event.channel]?.push(String(event["text"]));
      }
      return heard;
    };
    const sides = await send(RECORDING, "--interim-results");
    expect(sides.map((side) => side.length)).toEqual([3, 4]);
    for (const [side, text] of texts.entries()) {
      expect(errorRate(text, sides[side]!.join(" "))).toBeLessThan(MOST_ERRORS);
    }
    const file = join(executable.folder, "twice.wav");
    const reader = await recorded(0);
    await writeFile(file, wav(concat(reader, reader)));
    const [whole = []] = await send(file, "--set", "vad.min_silence_ms=5000", "--set", "vad.max_utterance_ms=60000");
    expect(whole).toHaveLength(1);
    expect(errorRate(`${texts[0]} ${texts[0]}`, whole[0]!)).toBeLessThan(MOST_ERRORS);
  },
  BUILD_MS + PATIENCE_MS,
);

testHere(
  "silence and noise are no words, and interims that hardly add anything are declined",
  async () => {
    await using kit = await testPool({ model: path, ...limits });
    const reader = await recorded(0);
    for (const still of [new Float32Array(0), new Float32Array(1), new Float32Array(2 * RATE), noise(1)]) {
      expect(await textOf(kit, still)).toBe("");
    }
    const lane = kit.lane();
    const call = async (kind: "interim" | "final", seconds: number) => {
      const outcome = await kit.submit(lane, reader.slice(0, seconds * RATE), { kind, utterance: 0 });
      return outcome.status === "ok" ? outcome.output : outcome;
    };
    expect(await call("interim", 2)).toMatchObject({ language: "en" });
    expect(await call("interim", 2.4)).toBeUndefined();
    expect(await call("interim", 2.5)).toMatchObject({ language: "en" });
    expect(await call("final", 2.6)).toMatchObject({ language: "en" });
  },
  PATIENCE_MS,
);

testHere(
  "a call that takes too long does not end the process, and the next worker answers",
  async () => {
    // A quarter of a minute takes longer on any processor, and no audio takes no time.
    await using kit = await testPool({ model: path, ...limits, inferenceTimeoutMs: 200 });
    const outcome = await kit.submit(kit.lane(), (await recorded(0)).slice(0, 15 * RATE));
    expect(outcome).toMatchObject({ status: "failed", code: "inference_timeout" });
    await kit.until(() => kit.pool.unavailable === undefined && kit.pool.load.workersAbandoned === 0);
    // On a busy machine the time may pass before the call begins.
    const lane = kit.lane();
    let answered = false;
    while (!answered) answered = (await kit.submit(lane, new Float32Array(0))).status === "ok";
    expect([kit.arena.used, kit.crashes]).toEqual([0, 0]);
  },
  PATIENCE_MS,
);

testHere(
  "model check with a recording prints words",
  async () => {
    await using executable = await Executable.create();
    const file = join(executable.folder, "cards.wav");
    // "eight of spades, four of clubs, seven of hearts"
    await writeFile(file, wav((await recorded(1)).slice(10 * RATE, 13 * RATE)));
    const { code, out } = await executable.run(["model", "check", path, "--input", file, "--set", "workers=1"]);
    expect(out).toMatch(/words .*eight/i);
    expect(code).toBe(0);
  },
  BUILD_MS + PATIENCE_MS,
);

testHere(
  "a package that is missing, and another network, are refused with what to do",
  async () => {
    const around = await mkdtemp(join(tmpdir(), "streamer-moonshine-"));
    /** Loads a copy of the example that has these packages. */
    const load = async (packages: readonly string[], encoder?: string): Promise<TestPool> => {
      const copy = await mkdtemp(join(around, "copy-"));
      const sources = (await readdir(folder!)).filter((name) => name.endsWith(".ts"));
      for (const name of sources) await copyFile(join(folder!, name), join(copy, name));
      const [from, to] = [join(folder!, "node_modules"), join(copy, "node_modules")];
      await mkdir(to);
      for (const name of packages) await symlink(join(from, name), join(to, name));
      const moonshine = "@moonshine-ai/moonshine-js";
      const network = join(to, moonshine, "dist/model/tiny/quantized/encoder_model.onnx");
      if (encoder !== undefined) {
        await mkdir(dirname(network), { recursive: true });
        await copyFile(join(from, moonshine, "package.json"), join(to, moonshine, "package.json"));
        await writeFile(join(to, moonshine, "dist/moonshine.min.js"), "");
        await writeFile(network, encoder);
      }
      return await testPool({ model: join(copy, "model.ts") });
    };
    const runtime = ["llama-tokenizer-js", "onnxruntime-common", "onnxruntime-web"];
    const remedy = /is not installed: run "npm install --ignore-scripts" in \S*copy-/;
    try {
      await expect(load([])).rejects.toThrow(remedy);
      await expect(load(["llama-tokenizer-js"])).rejects.toThrow(remedy);
      await expect(load(runtime)).rejects.toThrow(remedy);
      await expect(load(runtime, "another")).rejects.toThrow(
        /encoder_model.onnx: found SHA-256 \w{64}; allowed: c6fc4b7b/,
      );
    } finally {
      await rm(around, { recursive: true });
    }
  },
  PATIENCE_MS,
);
