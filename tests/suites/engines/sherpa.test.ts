import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { concat, encode, noise, wav } from "../../support/audio.ts";
import { root } from "../../support/documents.ts";
import { BUILD_MS, Executable, parseEvents } from "../../support/executable.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { shownModels } from "../../support/python-fences.ts";
import { pythonPackages } from "../../support/python-packages.ts";
import { S16_MONO } from "../../support/requests.ts";
import { testWith } from "../../support/requirements.ts";
import { FORMAT } from "../../support/wire.ts";

/** The model of docs/sherpa-onnx.md with the real package, and a transducer that says "la" and "di" for sounds. */

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000 + BUILD_MS);

const PACKAGES = ["numpy==2.4.6", "sherpa-onnx==2.0.1", "sherpa-onnx-core==2.0.1"];
/** Made by tests/support/python/tiny_transducer.py. */
const WEIGHTS = join(root, "tests", "data", "tiny-transducer");
const environment = await pythonPackages(PACKAGES.join("\n"));
const testHere = testWith(environment);
const python = join(environment ?? "", "bin", "python");

/** A result on /segmented. */
interface Spoken {
  readonly is_final: boolean;
  readonly text: string;
  readonly words: readonly { readonly start: number }[];
}

let executable: Executable;

beforeAll(async () => {
  if (environment === undefined) return;
  executable = await Executable.create();
  const [shown] = (await shownModels()).filter(({ title }) => title === "sherpa-onnx in docs/sherpa-onnx.md");
  await writeFile(join(executable.folder, "sherpa_model.py"), shown!.text);
  await cp(WEIGHTS, join(executable.folder, "weights"), { recursive: true });
  await writeFile(join(executable.folder, "sounds.wav"), wav(S16_MONO, encode("s16", SOUNDS)));
}, 300_000);

afterAll(async () => {
  if (environment !== undefined) await executable[Symbol.asyncDispose]();
});

const hush = (seconds: number): Float32Array => noise(seconds, { level: 0.0003 });
const sound = (): Float32Array => noise(0.3, { level: 0.3 });
/** Three sounds, from 1.0, 1.5 and 3.5 s on; the pause before the last one is long. */
const SOUNDS = concat(hush(1), sound(), hush(0.2), sound(), hush(1.7), sound(), hush(1));

testHere(
  "model check finds no fault, prints the words of a recording, and steps of several streams share a call",
  async () => {
    const sets = ["--set", `python=${python}`, "--set", "inference_timeout_ms=60000"];
    const { code, out } = await executable.run([
      "model",
      "check",
      "./sherpa_model.py",
      "--input",
      "sounds.wav",
      ...sets,
    ]);
    expect({ code, out: code === 0 ? "" : out }).toEqual({ code: 0, out: "" });
    expect(out).toContain('"sherpa-onnx", 16000 Hz, with pinned streams, options: none');
    expect(out).toMatch(/^ok {4}words {10}"la di la"$/m);
    expect(out).toMatch(/^ok {4}word times {5}3 words with times$/m);
    expect(out).toMatch(/^ok {4}reset {10}the second utterance of a stream has the results of a new stream$/m);
    expect(out).toMatch(/^ok {4}batch {10}steps of up to \d streams shared a call/m);
    expect(out).not.toMatch(/^FAIL/m);
  },
);

testHere("utterances have interims and finals with words at the time when they are spoken", async () => {
  const server = await executable.serve({ "model.workers": 1, "model.python": python, "model.step_ms": 100 }, [
    "--model",
    "./sherpa_model.py",
  ]);
  using client = await server.connect({ path: "/api/v1/segmented" });
  const bytes = new Uint8Array(encode("s16", SOUNDS));
  await client.sendStream(bytes, { format: FORMAT, interim_results: true, interim_interval_ms: 100 });
  expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
  const segments = client.eventsOf("segment").map((event) => event as unknown as Spoken);
  const finals = segments.filter(({ is_final }) => is_final);
  expect(finals.map(({ text }) => text)).toEqual(["la di", "la"]);
  expect(segments.filter(({ is_final, text }) => !is_final && text.startsWith("la")).length).toBeGreaterThan(2);
  const starts = finals.flatMap(({ words }) => words.map(({ start }) => start));
  for (const [i, spoken] of [1, 1.5, 3.5].entries()) expect(Math.abs(starts[i]! - spoken)).toBeLessThan(0.1);
});

testHere("the rule of the package ends an utterance where the detector does not", async () => {
  const settings = { "model.endpoint_s": 1, "vad.min_silence_ms": 3000, "model.workers": 1, "model.python": python };
  const server = await executable.serve(settings, ["--model", "./sherpa_model.py"]);
  const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
  const { code, out } = await executable.run(["send", "-i", "sounds.wav", "--addr", addr, "--format", "json"]);
  expect(code).toBe(0);
  const finals = parseEvents(out).filter(({ type }) => type === "segment");
  expect(finals.map((event) => (event as unknown as Spoken).text).filter((text) => text !== "")).toEqual([
    "la di",
    "la",
  ]);
});
