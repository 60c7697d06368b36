import { expect } from "bun:test";

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
const READER = `${DATA}/librivox/sense_and_sensibility_01_austen_64kb-0930.wav`;
const LIBRARY = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/libpocketsphinx.so.3`;

const testHere = testWith(
  files(
    [LIBRARY, DIGITS, "/usr/share/pocketsphinx/model/en-us/en-us.lm.bin"],
    "Debian: apt-get install libpocketsphinx3 pocketsphinx-en-us pocketsphinx-testdata",
  ),
);

/** Loading the English model takes a second or two, and recognising a good part of the time that was spoken. */
const PATIENCE_MS = 60_000;

testHere(
  "the digits model is exact on its own sample, in several workers at a time and again in each",
  async () => {
    await using kit = await testPool({ model: path, settings: { vocabulary: "digits" }, workers: 3 });
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

testHere(
  "the same unclear audio gives the same digits, also after other audio: model check finds no fault and notes nothing",
  async () => {
    const findings: Finding[] = [];
    const limits = { workers: 2, inferenceTimeoutMs: PATIENCE_MS, loadTimeoutMs: PATIENCE_MS };
    const options = { model: path, settings: { vocabulary: "digits" }, ...limits, startHost: threadHost(workerUrl) };
    await checkModel(options, (found) => findings.push(found));
    // A slow machine may be slower than real time.
    expect(findings.filter(({ verdict, check }) => verdict !== "ok" && check !== "time")).toEqual([]);
    expect(findings.map(({ check }) => check)).toContain("afterwards");
  },
  PATIENCE_MS,
);

testHere(
  "open vocabulary: interim results while somebody speaks, then the whole sentence, from recorded speech",
  async () => {
    await using server = await InProcessServer.start({ "models.sphinx.name": path, "models.sphinx.workers": 2 });
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
    expect(words).toContain("amiable himself");
    const refused = await executable.run(["serve", "--port", "0", "--model", path, "--set", "model.vocabulary=french"]);
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("vocabulary");
    expect(refused.err).toContain("english, digits");
  },
  BUILD_MS + PATIENCE_MS,
);
