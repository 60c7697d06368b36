import { afterAll, beforeAll, expect, setDefaultTimeout } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encode, speech, wav } from "../support/audio.ts";
import { parseEvents, sharedExecutable } from "../support/executable.ts";
import { BarePython, testWithPython } from "../support/python-environment.ts";
import { python } from "../support/python.ts";
import { S16_MONO } from "../support/requests.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Models in Python with the executable alone. tests/suites/engines/python.test.ts has the same with NumPy. */

const executable = await sharedExecutable();
let bare: BarePython;

beforeAll(async () => {
  bare = await BarePython.create(executable.folder);
  await writeFile(join(executable.folder, "speech.wav"), wav(S16_MONO, encode("s16", speech([0.6, 0.8]))));
});

afterAll(async () => {
  await bare[Symbol.asyncDispose]();
});

testWithPython("without NumPy, check and serve say where the new model needs it, and what installs it", async () => {
  expect(await executable.run(["model", "init", "--python", "my-model"])).toMatchObject({ code: 0, err: "" });
  const checked = await executable.run(["model", "check", "./my_model.py"]);
  expect(checked).toMatchObject({ code: 1, err: "" });
  const [, words = ""] = /^FAIL  load           (.*)$/m.exec(checked.out) ?? [];
  expect(words).toStartWith('model "./my_model.py" cannot be loaded: its import raises ModuleNotFoundError: ');
  expect(words).toMatch(/No module named 'numpy' \(.*\/my_model\.py:\d+\)/);
  expect(words).toContain("/.venv/bin/python -m pip install numpy`");
  const served = await executable.run(["serve", "--port", "0", "--model", "./my_model.py"]);
  expect(served).toEqual({ code: 2, out: "", err: `streamer: ${words}\n` });
});

testWithPython("check takes the interpreter and the environment that serve would, and refuses a thread", async () => {
  await writeFile(
    join(executable.folder, "where.py"),
    `import os, sys

name = "where"
idempotent = True

class Model:
    def infer(self, audio, call):
        return {"python": sys.executable, "weights": os.environ.get("WEIGHTS"), "secret": os.environ.get("SECRET")}
`,
  );
  const sets = ["--set", `python=${python}`, "--set", "model.env.WEIGHTS=here"];
  const options = { env: { SECRET: "hidden" } };
  const { code, out } = await executable.run(["model", "check", "./where.py", ...sets], options);
  expect(code).toBe(0);
  expect(out).toContain(`, ${python}, with`);
  expect(out).toContain(`{"python":"${python}","weights":"here","secret":null}`);
  for (const [set, code, words] of [
    ["isolation=thread", 2, "model.isolation: found thread (--set); allowed for a .py file: process"],
    ["python=./nowhere", 1, "./nowhere"],
  ] as const) {
    const refused = await executable.run(["model", "check", "./where.py", "--set", set]);
    expect(refused).toMatchObject({ code, [code === 1 ? "out" : "err"]: expect.stringContaining(words) });
  }
});

testWithPython("a model without packages is checked, served and called", async () => {
  await writeFile(
    join(executable.folder, "peaks.py"),
    `name = "peaks"
idempotent = True
options = []
settings = {"floor": {"default": 0.0}}

class Model:
    def __init__(self, settings):
        self.floor = settings["floor"]

    def infer(self, audio, call):
        return {"peak": max(self.floor, max(map(abs, audio), default=0.0))}
`,
  );
  const checked = await executable.run(["model", "check", "./peaks.py", "--input", "speech.wav"]);
  expect(checked).toMatchObject({ code: 0, err: "" });
  expect(checked.out).toMatch(/^note  interpreter {4}CPython 3\.\d+\.\d+, .*\/\.venv\/bin\/python, without NumPy: /m);
  expect(checked.out).toMatch(/\n\d+ ok, 1 note, 0 failed\n$/);

  const server = await executable.serve({ "model.floor": 2, "model.workers": 1 }, ["--model", "./peaks.py"]);
  const addr = `ws://127.0.0.1:${server.port}/api/v1/segmented`;
  const sent = await executable.run(["send", "-i", "speech.wav", "--addr", addr, "--format", "json"]);
  expect(sent.code).toBe(0);
  const events = parseEvents(sent.out);
  expect(events[0]).toMatchObject({ type: "started", model: "peaks" });
  const results = events.filter(({ type }) => type === "segment");
  expect(results).toHaveLength(2);
  for (const result of results) expect(result).toMatchObject({ peak: 2 });
});
