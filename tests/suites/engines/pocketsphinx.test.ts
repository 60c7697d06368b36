import { expect } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { spokenWords, wordErrors } from "../../../scripts/bench/support/word-errors.ts";
import { connect } from "../../../src/client/client.ts";
import { checkModel, type Finding } from "../../../src/commands/model/checks/check-model.ts";
import { threadHost } from "../../../src/pool/thread-host.ts";
import type { Segment } from "../../../src/protocol/events.ts";
import { concat, encode, noise } from "../../support/audio.ts";
import { example, samplesOf } from "../../support/example-harness.ts";
import { BUILD_MS, Executable } from "../../support/executable.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { testPool, workerUrl } from "../../support/pool-harness.ts";
import { files, testWith } from "../../support/requirements.ts";
import { FORMAT } from "../../support/wire.ts";

const path = example("pocketsphinx", "model.ts");

const DATA = "/usr/share/pocketsphinx/test/data";
const DIGITS = `${DATA}/tidigits/dhd.2934z.raw`;
const GO_FORWARD = `${DATA}/goforward.raw`;
const LIBRIVOX = `${DATA}/librivox/sense_and_sensibility_01_austen_64kb`;
const WAV_HEADER = 44;
const READER = `${LIBRIVOX}-0930.wav`;
const LIBRARY = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libpocketsphinx.so.3`;

const testHere = testWith(
  files(
    [LIBRARY, DIGITS, "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin"],
    "Debian: apt-get install libpocketsphinx3 pocketsphinx-en-us pocketsphinx-testdata",
  ),
);

/** Loading the English model takes a second or two, and recognising a good part of the time that was spoken. */
const PATIENCE_MS = 60_000;

interface Counted extends Segment {
  readonly text: string;
  /** Samples that the model was given for the utterance. */
  readonly samples: number;
  readonly words: readonly { readonly word: string; readonly start: number; readonly end: number }[];
}

/** Returns a model that counts the samples which a pinned model is given. */
function countingModel(path: string): string {
  return `import model from ${JSON.stringify(path)};
export default {
  ...model,
  name: "counting",
  load(settings, context) {
    const counted = model.load(settings, context);
    return {
      open(call) {
        const stream = counted.open(call);
        let samples = 0;
        const count = (output) => output && { ...output, samples };
        return {
          step(audio, call) {
            samples += audio.length;
            return count(stream.step(audio, call));
          },
          finish: (call) => count(stream.finish(call)),
          reset() {
            samples = 0;
            stream.reset();
          },
          close: () => stream.close(),
        };
      },
      close: () => counted.close(),
    };
  },
};
`;
}

testHere(
  "whole utterances: the digits model is exact on its own sample, in several workers at a time and again in each",
  async () => {
    const settings = { vocabulary: "digits", incremental: false };
    await using kit = await testPool({ model: path, settings, workers: 3 });
    const digits = await samplesOf(DIGITS);
    const lanes = [0, 1, 2].map(() => kit.lane());
    const outcomes = await Promise.all([...lanes, ...lanes].map((lane) => kit.submit(lane, digits)));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ output: { text: "two nine three four zero" } });
    expect(new Set(outcomes.map((outcome) => (outcome.status === "ok" ? outcome.worker : -1))).size).toBe(3);
    // Nothing of one utterance is left in the next.
    await kit.submit(lanes[0]!, noise(1, { level: 0.3 }));
    expect(await kit.submit(lanes[0]!, digits)).toMatchObject({ output: { text: "two nine three four zero" } });
    expect(await kit.submit(lanes[0]!, new Float32Array(16_000))).toMatchObject({ output: { text: "" } });
  },
  PATIENCE_MS,
);

for (const incremental of [true, false]) {
  testHere(
    `unclear audio gives the same digits after any other, ${incremental ? "as it is spoken" : "whole"}: model check notes nothing`,
    async () => {
      const findings: Finding[] = [];
      const limits = { workers: 2, inferenceTimeoutMs: PATIENCE_MS, loadTimeoutMs: PATIENCE_MS };
      const settings = { vocabulary: "digits", incremental };
      const options = { model: path, settings, ...limits, startHost: threadHost(workerUrl) };
      await checkModel(options, (found) => findings.push(found));
      // A slow machine may be slower than real time.
      expect(findings.filter(({ verdict, check }) => verdict !== "ok" && check !== "time")).toEqual([]);
      expect(findings.map(({ check }) => check)).toContain("afterwards");
    },
    PATIENCE_MS,
  );
}

testHere(
  "an utterance of 20 s with interims every 0.5 s is given to the model once, and few digits are wrong",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "streamer-sphinx-"));
    try {
      const counting = join(folder, "counting.ts");
      await writeFile(counting, countingModel(path));
      const settings = { "models.sphinx.vocabulary": "digits", "models.sphinx.inference_timeout_ms": PATIENCE_MS };
      await using server = await InProcessServer.start({ "models.sphinx.name": counting, ...settings });
      const sample = await samplesOf(DIGITS);
      const times = Math.ceil((20 * 16_000) / sample.length);
      const spoken = concat(...Array.from({ length: times }, () => sample));
      const truth = Array.from({ length: times }, () => "two nine three four zero".split(" ")).flat();
      using client = await connect(`ws://localhost:${server.port}/api/v1/segmented`, {
        format: FORMAT,
        model: "sphinx",
        interim_results: true,
        interim_interval_ms: 500,
        vad: { min_silence_ms: 3000 },
      });
      void client
        .send(new Uint8Array(encode("s16", concat(spoken, noise(4, { level: 0.0003 })))))
        .then(() => client.stop());
      const segments: Counted[] = [];
      for await (const { event } of client.events) {
        if (event.type === "segment") segments.push(event as Counted);
        if (event.type === "stopped") break;
      }
      const [final] = segments.filter(({ is_final }) => is_final === true);
      expect(segments.filter(({ is_final }) => is_final === true)).toHaveLength(1);
      expect(segments.length).toBeGreaterThanOrEqual(35);
      const seconds = final!.end_time - final!.start_time;
      expect(seconds).toBeGreaterThan(19);
      expect(final!.samples).toBe(Math.round(seconds * 16_000));
      expect(wordErrors(truth, spokenWords(final!.text))).toBeLessThanOrEqual(0.2 * truth.length);
      const { words, start_time, end_time } = final!;
      expect(words.map(({ word }) => word).join(" ")).toBe(final!.text);
      for (const [i, { start, end }] of words.entries()) {
        expect(start).toBeGreaterThanOrEqual(i === 0 ? start_time : words[i - 1]!.end - 0.011);
        expect(end).toBeLessThanOrEqual(end_time + 0.03);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  PATIENCE_MS,
);

testHere(
  "few words of recorded speech are wrong, decoded as they are spoken",
  async () => {
    await using server = await InProcessServer.start({ "models.sphinx.name": path, "models.sphinx.workers": 1 });
    using client = await connect(`ws://localhost:${server.port}/api/v1/segmented`, {
      format: FORMAT,
      model: "sphinx",
      vad: { min_silence_ms: 2000 },
    });
    const speech = await samplesOf(`${LIBRIVOX}-0870.wav`, WAV_HEADER);
    void client
      .send(new Uint8Array(encode("s16", concat(speech, noise(3, { level: 0.0003 })))))
      .then(() => client.stop());
    let text = "";
    for await (const { event } of client.events) {
      if (event.type === "segment") text += ` ${String(event["text"])}`;
      if (event.type === "stopped") break;
    }
    const truth =
      "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do for them";
    expect(wordErrors(spokenWords(truth), spokenWords(text))).toBeLessThanOrEqual(10);
  },
  PATIENCE_MS,
);

testHere(
  "open vocabulary: interim results while somebody speaks, then the whole sentence, from recorded speech",
  async () => {
    await using server = await InProcessServer.start({ "models.sphinx.name": path, "models.sphinx.workers": 1 });
    using client = await connect(`ws://localhost:${server.port}/api/v1/segmented`, {
      format: FORMAT,
      model: "sphinx",
      interim_results: true,
      interim_interval_ms: 300,
    });
    const pause = noise(0.6, { level: 0.0003 });
    const sentence = concat(pause, await samplesOf(GO_FORWARD), pause);
    const bytes = (from: number, to?: number) => new Uint8Array(encode("s16", sentence.slice(from, to)));
    // The second half is spoken when the first has been understood, so that there is time for interims.
    const half = 1.9 * 16_000;
    await client.send(bytes(0, half));
    const segments: Segment[] = [];
    for await (const { event } of client.events) {
      if (event.type === "segment") segments.push(event);
      if (event.type === "segment" && segments.length === 1) {
        await client.send(bytes(half));
        client.stop();
      }
      if (event.type === "stopped") break;
    }
    expect(segments[0]).toMatchObject({ is_final: false });
    const finals = segments.filter((segment) => segment.is_final === true);
    expect(finals).toHaveLength(1);
    expect(finals[0]).toMatchObject({ text: "go forward ten meters", start_time: segments[0]!.start_time });
  },
  PATIENCE_MS,
);

testHere(
  "it works in the executable, given by its path, and a wrong vocabulary is refused by name",
  async () => {
    await using executable = await Executable.create();
    const keys = { "model.workers": 2, "model.vocabulary": "english" };
    const server = await executable.serve(keys, ["--model", path]);
    const addr = `${server.url.replace("http", "ws")}/api/v1/segmented`;
    const { code, out } = await executable.run(["send", "-i", READER, "--addr", addr, "--format", "json"]);
    expect(code).toBe(0);
    const words = [...out.matchAll(/"text":"([^"]*)"/g)].map(([, text]) => text).join(" ");
    expect(words).toContain("he might even have been made");
    const refused = await executable.run(["serve", "--port", "0", "--model", path, "--set", "model.vocabulary=french"]);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("vocabulary");
    expect(refused.err).toContain("english, digits");
  },
  BUILD_MS + PATIENCE_MS,
);
