import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../src/commands/model/checks/check-model.ts";
import { initModel } from "../../../src/commands/model/init.ts";
import { encode, noise, wav } from "../../support/audio.ts";
import { commandLines } from "../../support/command-lines.ts";
import { root } from "../../support/documents.ts";
import { example } from "../../support/example-harness.ts";
import { type CommandResult, Executable, parseEvents } from "../../support/executable.ts";
import { pythonHost } from "../../support/python-environment.ts";
import { shownModels } from "../../support/python-fences.ts";
import { pythonPackages } from "../../support/python-packages.ts";
import { RECORDING } from "../../support/recorded.ts";
import { S16_MONO } from "../../support/requests.ts";
import { testWith } from "../../support/requirements.ts";

/** Models in Python with packages from PyPI, which are kept between runs. */

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const MYPY = ["mypy==2.4.1", "ast_serialize==0.13.1", "librt==0.17.0", "mypy_extensions==1.2.0", "pathspec==1.1.1"];
const packages = `${await Bun.file(example("python-silero", "requirements.txt")).text()}${MYPY.join("\n")}
typing_extensions==4.16.0
`;
const environment = await pythonPackages(packages);
const python = join(environment ?? "", "bin", "python");
const testHere = testWith(environment);

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-python-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function findingsOf(model: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const limits = { workers: 2, inferenceTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
  const startHost = pythonHost(model, python);
  await checkModel({ model, settings: {}, ...limits, startHost }, (found) => findings.push(found));
  return findings;
}

/** Serves a model with the executable, sends it a file, and returns the results. */
async function results(model: string, pattern: string, recording: string): Promise<Record<string, unknown>[]> {
  await using executable = await Executable.create();
  const server = await executable.serve({ "model.workers": 2, "model.python": python }, ["--model", model]);
  const addr = `ws://127.0.0.1:${server.port}/api/v1/${pattern}`;
  const { code, out, err } = await executable.run(["send", "-i", recording, "--addr", addr, "--format", "json"]);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  return parseEvents(out).filter(({ type }) => type === "segment");
}

for (const [kind, words] of [
  ["stateless", "without state"],
  ["stateful", "with state"],
  ["pinned", "with pinned streams"],
] as const) {
  testHere(`the template of a model in Python ${words} passes all checks without a note`, async () => {
    await initModel({ name: `checked-${kind}.py`, kind, program: "./streamer", folder });
    const findings = await findingsOf(join(folder, `checked_${kind}.py`));
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findings.map(({ text }) => text).join("\n")).toContain(`, 16000 Hz, ${words}`);
    const interpreter = findings.find(({ check }) => check === "interpreter");
    expect(interpreter?.text).toMatch(/^CPython 3\.\d+\.\d+, .*\/bin\/python, with NumPy \d+\.\d+/);
  });
}

testHere(
  "a strict type checker accepts the models of init with the types beside them, and finds wrong ones",
  async () => {
    for (const [name, kind] of [
      ["typed.py", "stateless"],
      ["typed_stream.py", "stateful"],
      ["typed_pinned.py", "pinned"],
    ] as const) {
      await initModel({ name, kind, program: "./streamer", folder });
    }
    await writeFile(
      join(folder, "fits.py"),
      `from typing import Type
from streamer_model import Closing, Finishing, Pinned, PinnedStream, Resetting, Stateful, Stateless
import typed
import typed_pinned
import typed_stream

one: Type[Stateless] = typed.Model
two: Type[Stateful[typed_stream.State]] = typed_stream.Model
three: Type[Finishing[typed_stream.State]] = typed_stream.Model
four: Type[Pinned[typed_pinned.Sounds]] = typed_pinned.Model
five: Type[PinnedStream] = typed_pinned.Sounds
six: Type[Resetting] = typed_pinned.Sounds
seven: Type[Closing] = typed_pinned.Sounds
`,
    );
    const mypy = async (...files: string[]): Promise<string> => {
      const child = Bun.spawn([python, "-m", "mypy", "--strict", "--no-error-summary", ...files], {
        cwd: folder,
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      await child.exited;
      return out + err;
    };
    expect(await mypy("typed.py", "typed_stream.py", "typed_pinned.py", "fits.py", "streamer_model.pyi")).toBe("");
    const wrong = (await Bun.file(join(folder, "typed.py")).text()).replace("if call.final ", "if call.finale ");
    await writeFile(join(folder, "wrong.py"), wrong);
    expect(await mypy("wrong.py")).toContain('"Call" has no attribute "finale"; maybe "final"?');
  },
);

testHere("the commands of the README lead from an empty folder to results, for a model in Python", async () => {
  const readme = await Bun.file(join(root, "README.md")).text();
  const [, fence = ""] = /^```text\n(\.\/streamer model init --python[^]*?)^```$/m.exec(readme) ?? [];
  const lines = commandLines(`\`\`\`sh\n${fence}\`\`\`\n`).map(({ text }) => text.split(" ").slice(1));
  expect(lines.map(([command]) => command)).toEqual(["model", "model", "serve", "send"]);
  const [init = [], check = [], serve = [], send = []] = lines;

  await using executable = await Executable.create();
  await writeFile(join(executable.folder, "recording.wav"), await Bun.file(RECORDING).bytes());
  const env = { VIRTUAL_ENV: environment ?? "" };
  const run = async (args: readonly string[]): Promise<CommandResult> => {
    const result = await executable.run(args, { env });
    expect(result).toMatchObject({ code: 0, err: expect.not.stringContaining("rror") });
    return result;
  };
  const printed = (await run(init)).out.replaceAll(executable.path, "./streamer");
  expect(printed).toContain(`\n  ./streamer ${check.join(" ")}\n  ./streamer ${serve.join(" ")}\n`);
  expect((await run(check)).out).toMatch(/\n\d+ ok, 0 notes, 0 failed\n$/);
  const server = await executable.serve({}, serve.slice(1), env);
  const { out } = await run([...send, "--addr", `localhost:${server.port}`]);
  expect(out).toMatch(/final +loudness_db=-\d+\.\d loud=(?:true|false)/);
  expect(out).toContain("result      7 final results, 0 errors; the ledger adds up");
});

testHere("examples/python has 20 lines, and measures the pitch of voices, also in the executable", async () => {
  const path = example("python", "model.py");
  expect((await Bun.file(path).text()).trimEnd().split("\n").length).toBeLessThanOrEqual(20);
  expect((await findingsOf(path)).filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  for (const hertz of [70, 120, 210, 330]) {
    const tone = Float32Array.from({ length: 16_000 }, (_, i) => {
      const phase = (2 * Math.PI * hertz * i) / 16_000;
      return 0.1 * (Math.sin(phase) + Math.sin(2 * phase) / 2 + Math.sin(3 * phase) / 3);
    });
    const file = join(folder, `tone-${hertz}.wav`);
    await writeFile(file, wav(S16_MONO, encode("s16", tone)));
    for (const { pitch_hz } of await results(path, "simple", file)) {
      expect(Math.abs(Number(pitch_hz) / hertz - 1)).toBeLessThan(0.03);
    }
  }
  const file = join(folder, "noise.wav");
  await writeFile(file, wav(S16_MONO, encode("s16", noise(1, { level: 0.1 }))));
  for (const result of await results(path, "simple", file)) expect(result).toMatchObject({ pitch_hz: null });
});

testHere("examples/python-silero hears speech where somebody speaks, and the same at any block size", async () => {
  const path = example("python-silero", "model.py");
  const findings = await findingsOf(path);
  expect(findings.filter(({ verdict, check }) => verdict !== "ok" && check !== "time")).toEqual([]);
  expect(findings.find(({ check }) => check === "block size")).toBeDefined();
  const heard = (await results(path, "stateful", RECORDING)).filter(({ channel }) => channel === 0);
  const windows = heard.flatMap((result) => result["windows"] as number[]);
  expect(windows).toHaveLength(Math.floor((18 * 16_000) / 512));
  // 10.5 of the 18 s on the left are clips of somebody reading; from 0.9 s on one is read.
  expect(windows.filter((speech) => speech > 0.5).length * 0.032).toBeWithin(6, 12.5);
  expect(Math.max(...windows.slice(0, 25))).toBeLessThan(0.3);
});

for (const [index, { title, text }] of (await shownModels()).filter(({ needsNumPy }) => needsNumPy).entries()) {
  testHere(`model check finds no fault in the model ${title}`, async () => {
    const model = join(folder, `shown_${index}.py`);
    await writeFile(model, text);
    const findings = await findingsOf(model);
    expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
    expect(findings.map(({ check }) => check)).toContain("afterwards");
  });
}
