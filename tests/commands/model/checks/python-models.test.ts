import { afterAll, beforeAll, describe, expect, setDefaultTimeout } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../../src/commands/model/checks/check-model.ts";
import { BarePython, pythonHost, testWithPython } from "../../../support/python-environment.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

let bare: BarePython;

beforeAll(async () => {
  bare = await BarePython.create();
});

afterAll(async () => {
  await bare[Symbol.asyncDispose]();
});

let files = 0;

/** Checks a model file beside a virtual environment without packages. */
async function findingsOf(text: string, inferenceTimeoutMs = 60_000): Promise<Finding[]> {
  const model = join(bare.folder, `model_${files++}.py`);
  await writeFile(model, text);
  const findings: Finding[] = [];
  const options = {
    model,
    settings: {},
    workers: 1,
    startHost: pythonHost(model),
    inferenceTimeoutMs,
    loadTimeoutMs: 60_000,
  };
  await checkModel(options, (finding) => findings.push(finding));
  return findings;
}

function textOf(findings: readonly Finding[], check: string): string {
  const { verdict, text } = findings.find((finding) => finding.check === check) ?? { verdict: "nothing", text: "" };
  return `${verdict}: ${text}`;
}

testWithPython("a model without state gets every check, in the words of Python", async () => {
  const findings = await findingsOf(`
name = "peak"
max_batch = 4
options = ["scale"]

class Model:
    def infer(self, audio, call):
        return {"peak": max(map(abs, audio), default=0.0)}

    def infer_batch(self, audios, calls):
        return [self.infer(audio, call) for audio, call in zip(audios, calls)]
`);
  expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
  const names = ["load", "interpreter", "result", "time", "deterministic", "idempotent", "failed batch"];
  expect(findings.map(({ check }) => check)).toEqual([
    ...names,
    ...["batch", "interim", "silence", "noise", "clipped", "1 sample", "10 ms", "30 s", "no audio", "afterwards"],
  ]);
  expect(textOf(findings, "load")).toMatch(/^ok: "peak", 16000 Hz, without state, options: scale; loaded and warm in/);
  expect(textOf(findings, "idempotent")).toContain("with `idempotent = True`, a server repeats");
  expect(textOf(findings, "failed batch")).toBe(
    "note: an error in a batch fails the pieces of all clients in it; with `idempotent = True`, its pieces are called one by one instead",
  );
  expect(textOf(findings, "interim")).toContain("with call.final False");
  expect(textOf(findings, "batch")).toMatch(/^ok: results are equal; a batch of 4 takes as long as/);
});

testWithPython("an interpreter without NumPy is noted, with its version, its path and what installs it", async () => {
  const findings = await findingsOf(`
name = "kind"

class Model:
    def infer(self, audio, call):
        return {"kind": type(audio).__name__}
`);
  expect(textOf(findings, "interpreter")).toMatch(
    /^note: CPython 3\.\d+\.\d+, .*\/\.venv\/bin\/python, without NumPy: audio is a memoryview of floats; `.*\/\.venv\/bin\/python -m pip install numpy` installs it$/,
  );
  expect(textOf(findings, "result")).toStartWith('ok: {"kind":"memoryview"}');
});

testWithPython("a model with state is checked, and the size of its pickled state is reported", async () => {
  const findings = await findingsOf(`
import array

name = "total"
idempotent = True

class Model:
    def start(self, call):
        return {"total": 0.0, "weights": array.array("f", range(1000))}

    def step(self, audio, state, call):
        total = state["total"] + sum(audio)
        return {"total": round(total, 3)}, {**state, "total": total}

    def finish(self, state, call):
        return {"total": round(state["total"], 3)}

    def dispose(self, state):
        pass
`);
  expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
  expect(textOf(findings, "state")).toMatch(/^ok: can be pickled; at most 4\d\d\d bytes per block$/);
  for (const check of ["finish", "two streams", "block size", "idempotent", "dispose", "afterwards"]) {
    expect(textOf(findings, check)).toMatch(/^ok/);
  }
});

describe("faults of a model in Python are found", () => {
  /** A model with this statement in `infer`, which the warm-up does not call. */
  const inFile = (statement: string): string =>
    `import os\nname = "faulty"\nclass Model:\n    def warm_up(self):\n        pass\n    def infer(self, audio, call):\n        ${statement}\n`;

  for (const [fault, text, check, finding] of [
    ["an exception", inFile(`raise ValueError("no idea")`), "result", /^FAIL: failed: ValueError: no idea;/],
    ["NaN", inFile(`return {"level": float("nan")}`), "result", /^FAIL: failed: "level" is NaN, which JSON cannot/],
    ["a reserved name", inFile(`return {"type": 1}`), "result", /^FAIL: failed: .*"type", which is reserved/],
    ["the end of its process", inFile("os._exit(7)"), "result", /^FAIL: worker crashed: /],
    ["a short piece", inFile(`return {"last": audio[399]}`), "1 sample", /^FAIL: failed: IndexError: /],
    ["no class", `name = "bare"\n`, "load", /^FAIL: .*cannot be loaded: the file has no class Model/],
    ["a syntax error", `name = "bare"\ndef infer(:\n`, "load", /^FAIL: .*it cannot be parsed: .*\.py:2:/],
    ["a missing package", "import not_installed\n", "load", /^FAIL: .*not_installed.*\.py:1\).*\.venv\/bin\/python/],
    [
      "a state that cannot be pickled",
      `name = "s"\nclass Model:\n    def start(self, call):\n        return {"file": open("/dev/null")}\n    def step(self, audio, state, call):\n        return None, state\n`,
      "result",
      /^FAIL: start: failed: the model's state cannot be pickled: .*state\['file'\]/,
    ],
  ] as const) {
    testWithPython(fault, async () => {
      expect(textOf(await findingsOf(text), check)).toMatch(finding);
    });
  }

  testWithPython("a call that does not return", async () => {
    expect(textOf(await findingsOf(inFile("while True: pass"), 300), "result")).toMatch(
      /^FAIL: timeout: no result within 300 ms/,
    );
  });
});
