import { afterAll, expect, setDefaultTimeout } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Header, PythonChild } from "../../support/python-child.ts";
import { python, pythonModel } from "../../support/python.ts";
import { testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const testHere = testWith(python);
const folder = mkdtempSync(join(tmpdir(), "streamer python "));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

async function failureOf(
  text: string,
  {
    name = "broken.py",
    settings = {},
    env = {},
  }: { name?: string; settings?: object; env?: Record<string, string> } = {},
): Promise<Header & { message: string; stack?: string }> {
  const model = write(name, text);
  await using child = await PythonChild.start({ python: python!, model, env });
  const failure = await child.failure(settings as Record<string, unknown>);
  child.send({ type: "close" });
  expect(await child.ended()).toBe(1);
  return failure as Header & { message: string };
}

const MODEL = "class Model:\n    def infer(self, audio, call):\n        return {}\n";

testHere("a model file that Python cannot parse is refused with file, line and column", async () => {
  const path = join(folder, "broken.py");
  expect((await failureOf("def infer(:\n")).message).toBe(`it cannot be parsed: invalid syntax (${path}:1:11)`);
  expect((await failureOf("x = 1\n  y = 2\n")).message).toBe(`it cannot be parsed: unexpected indent (${path}:2:2)`);
  const neighbour = write("torn.py", "\n\nreturn (\n");
  expect((await failureOf("import torn\n")).message).toStartWith(`it cannot be parsed: `);
  expect((await failureOf("import torn\n")).message).toContain(`(${neighbour}:3`);
  expect((await failureOf("\x00")).message).toMatch(/null bytes.*\(.*broken\.py/);
});

testHere(
  "a package that is missing is named, with the interpreter that lacks it and how to choose another",
  async () => {
    const { message, stack } = await failureOf("import os\nimport no_such_package.part\n");
    expect(message).toStartWith(
      `its import raises ModuleNotFoundError: No module named 'no_such_package' (${join(folder, "broken.py")}:2); ` +
        `the interpreter is ${python} (Python 3.`,
    );
    // Debian's own interpreter takes packages of the system only.
    expect(message).toMatch(
      /: `\S+ -m (?:pip install no_such_package` installs it there|venv \.venv && \.venv\/bin\/pip install no_such_package` installs it, in the folder of the model,) if /,
    );
    expect(message).toEndWith("model.python chooses another interpreter");
    expect(stack).toContain("Traceback (most recent call last):");
    expect(stack).not.toContain("streamer_host");
  },
);

testHere.each([
  ["raise ValueError('no weights')", "its import raises ValueError: no weights (PATH:1)"],
  ["import sys\nsys.exit(3)", "its import raises SystemExit: 3 (PATH:2)"],
  ["raise KeyboardInterrupt", "its import raises KeyboardInterrupt (PATH:1)"],
  ["raise ExceptionGroup('two', [ValueError('a'), TypeError('b')])", "its import raises "],
  [
    "name = 'x'\nclass Detector: pass\nclass Modell: pass\ndef infer(): pass\nimport json",
    "the file has no class Model; found: the classes Detector, Modell; the function infer (PATH)",
  ],
  ["name = 'x'", "the file has no class Model; found: no class (PATH)"],
  ["name = 'x'\ndef Model(settings): pass", "Model: found a function; allowed: a class (PATH)"],
  [
    "name = 'x'\nclass Model: pass",
    "a model needs a method infer(), or start() and step() if it is stateful, or open() if it is pinned (PATH:2)",
  ],
  [
    "name = 'x'\nclass Model:\n  def step(self): pass",
    "a stateful model needs a method start(); Model has none (PATH:2)",
  ],
  [`name = 'x'\nstateful = True\n${MODEL}`, "a stateful model needs a method start(); Model has none (PATH:3)"],
  [`name = 'x'\nmax_batch = 8\n${MODEL}`, "a model with max_batch 8 needs a method infer_batch() (PATH:3)"],
  [`name = 'x'\n${MODEL}    close = 1`, "close: found a value of the type int; allowed: a method (PATH:2)"],
  [`name = 'x'\n${MODEL}    def __init__(self): raise OSError('no GPU')`, "Model() failed: OSError: no GPU (PATH:5)"],
  [`name = 'x'\n${MODEL}    def __init__(self, a, b): pass`, "Model() failed: TypeError: "],
  [
    `name = 'x'\n${MODEL}    def warm_up(self): 1 / 0`,
    "the warm-up failed: ZeroDivisionError: division by zero (PATH:5)",
  ],
  [
    `name = 'x'\n${MODEL}    async def warm_up(self): 1 / 0`,
    "the warm-up failed: ZeroDivisionError: division by zero (PATH:5)",
  ],
  ["name = 'x'\nclass Model:\n  def infer(self): pass", "the warm-up failed: TypeError: "],
  [
    `name = 'x'\ndef validate(settings): return ['how: ' + str(settings)]\n${MODEL}`,
    "its settings are refused: how: {'a': 1}",
  ],
  [`name = 'x'\ndef validate(settings): return settings['b']\n${MODEL}`, "validate() failed: KeyError: 'b' (PATH:2)"],
  [
    `name = 'x'\ntraces = True\n${MODEL}`,
    "traces: found true, but No module named 'opentelemetry'; the package opentelemetry-api has it",
  ],
])("the model file %j cannot be loaded: %s", async (text, message) => {
  const failure = await failureOf(text, { settings: { a: 1 } });
  expect(failure.message).toStartWith(message.replace("PATH", join(folder, "broken.py")));
});

testHere("a file with the name of a module that it imports is to be renamed", async () => {
  write("package_x/__init__.py", "answer = 42\n");
  const { message } = await failureOf("import package_x\npackage_x.answer\n", { name: "package_x.py" });
  expect(message).toEndWith("; the file has the name of a module that it imports: rename it");
  // A module of the standard library that the host uses is not replaced.
  await using child = await PythonChild.ready({
    python: python!,
    model: write("json.py", `name = "j"\nimport json\nanswer = json.dumps([])\n${MODEL}`),
  });
  expect(child.info["name"]).toBe("j");
});

testHere("settings that the server refuses are reported, unless the model finds its own problems", async () => {
  const model = write("refused.py", `name = "x"\ndef validate(settings):\n    return settings.get("own")\n${MODEL}`);
  for (const [settings, message] of [
    [{}, "its settings are refused: from the server"],
    [{ own: ["a", "b"] }, "its settings are refused: a; b"],
  ] as const) {
    await using child = await PythonChild.start({ python: python!, model });
    expect(await child.failure(settings, ["from the server"])).toMatchObject({ message });
  }
});

testHere(
  "a model file declares its names, and says which have another type or the spelling of TypeScript",
  async () => {
    const text = `
name = "x"
sample_rate = 8_000
max_batch = 2.5
max_batch_wait_ms = float("nan")
idempotent = True
settings = {"a": {"default": None, "unit": "s"}, "b": {"default": (1, 2)}}
options = {"language"}
sampleRate = 5
`;
    await using child = await PythonChild.start({ python: python!, model: write("declaring.py", text) });
    expect(await child.next()).toEqual({
      type: "declared",
      module: {
        values: {
          name: "x",
          sample_rate: 8000,
          max_batch: 2.5,
          idempotent: true,
          settings: { a: { default: null, unit: "s" }, b: { default: [1, 2] } },
        },
        kinds: { max_batch_wait_ms: "nan", options: "a value of the type set" },
        misspelled: ["sampleRate"],
      },
    });
  },
);

testHere("a loaded model is described with the interpreter that runs it", async () => {
  await using child = await PythonChild.ready({ python: python!, model: pythonModel("obedient") });
  expect(child.info).toMatchObject({
    name: "obedient",
    sampleRate: 16_000,
    stateful: false,
    disposes: false,
    maxBatch: 4,
    maxBatchWaitMs: 0,
    idempotent: true,
    warmedByCall: false,
    python: { executable: python, version: expect.stringMatching(/^3\.\d+\.\d+$/), implementation: expect.any(String) },
  });
  await using stream = await PythonChild.ready({ python: python!, model: pythonModel("obedient_stream") });
  expect(stream.info).toMatchObject({ stateful: true, disposes: true, maxBatch: 1, idempotent: false });
});

testHere("`__init__` takes the settings, the settings and the context, the context, or nothing", async () => {
  const variants = {
    self: "[]",
    "self, settings": "[settings]",
    "self, settings, context": "[settings, context.spawn]",
    "self, context": "[context.spawn]",
    "self, *, context": "[context.spawn]",
    "self, settings, verbose=3": "[settings, verbose]",
    "self, *args": "list(args)",
    "self, **named": "named",
  };
  const expected = [[], [{ a: 1 }], [{ a: 1 }, 0], [0], [0], [{ a: 1 }, 3], [{ a: 1 }], {}];
  const found = await Promise.all(
    Object.entries(variants).map(async ([parameters, got], i) => {
      const text = `name = "x"\nclass Model:\n    def __init__(${parameters}):\n        self.got = ${got}\n    def infer(self, audio, call):\n        return {"got": self.got}\n`;
      const model = write(`init-${i}.py`, text);
      await using child = await PythonChild.ready({ python: python!, model, settings: { a: 1 } });
      return (await child.call({}))[0]?.output?.["got"];
    }),
  );
  expect(found).toEqual(expected);
});

testHere(
  "without NumPy audio is a memoryview of floats; if it cannot be imported, the log has the reason",
  async () => {
    const body = `{"kind": type(audio).__name__, "format": audio.format, "readonly": audio.readonly}`;
    const line = "NumPy cannot be imported, so audio is a memoryview: ";
    for (const [name, statement, logged] of [
      ["absent", `raise ModuleNotFoundError("No module named 'numpy'", name="numpy")`, ""],
      ["torn", `raise ImportError("no libopenblas\\nmore")`, `${line}ImportError: no libopenblas\n`],
      ["other", "", `${line}AttributeError: `],
    ] as const) {
      write(`${name}/numpy.py`, statement);
      const model = write(`${name}/x.py`, `name = "x"\n${MODEL.replace("{}", body)}`);
      await using child = await PythonChild.ready({ python: python!, model });
      expect(await child.call({})).toEqual([{ output: { kind: "memoryview", format: "f", readonly: false } }]);
      expect(child.info["python"]).not.toHaveProperty("numpy");
      await waitUntil("the line in the log", () => child.err.startsWith(logged));
      expect(child.err === "").toBe(logged === "");
    }
  },
);

testHere(
  "the model's folder is searched first, that of the file behind a link, and the working folder not at all",
  async () => {
    write("real/neighbour.py", "place = 'beside the file'\n");
    write("working/neighbour.py", "place = 'working folder'\n");
    write("working/socket.py", "raise SystemError('a module of the working folder')\n");
    const model = write("real/linked.py", `import neighbour\nname = neighbour.place\n${MODEL}`);
    const link = join(folder, "a link.py");
    symlinkSync(model, link);
    for (const path of [model, link]) {
      await using child = await PythonChild.ready({ python: python!, model: path, cwd: join(folder, "working") });
      expect(child.info["name"]).toBe("beside the file");
    }
  },
);

testHere("a model file is read anew by each worker, also when it has changed within the same second", async () => {
  for (const answer of ["one", "two"]) {
    const model = write("changed.py", `name = "${answer}"\n${MODEL}`);
    await using child = await PythonChild.ready({ python: python!, model });
    expect(child.info["name"]).toBe(answer);
  }
});

testHere("a file with Windows line ends, a byte order mark and an encoding of its own is loaded", async () => {
  const model = write("windows.py", `\ufeff# comment\r\nname = "x"\r\n${MODEL.replaceAll("\n", "\r\n")}`);
  await using child = await PythonChild.ready({ python: python!, model });
  const latin = join(folder, "latin.py");
  writeFileSync(latin, Buffer.from(`# -*- coding: latin-1 -*-\nname = "h\xf6ren"\n${MODEL}`, "latin1"));
  await using other = await PythonChild.ready({ python: python!, model: latin });
  expect([child.info["name"], other.info["name"]]).toEqual(["x", "hören"]);
});

testHere("closed while it waits for its settings, a worker ends", async () => {
  await using child = await PythonChild.start({ python: python!, model: pythonModel("obedient") });
  await child.next();
  child.send({ type: "close" });
  expect(await child.ended()).toBe(0);
});

testHere(
  "an interpreter that the server has not started itself is refused, since it would not end with it",
  async () => {
    const model = pythonModel("obedient");
    await using child = await PythonChild.start({ python: python!, model, under: ["sh", "-c", `"$@"; exit 9`, "sh"] });
    expect(await child.failure()).toMatchObject({ message: expect.stringContaining("started by another program") });
    await using orphan = await PythonChild.start({ python: python!, model, parent: 2 ** 22 + 1 });
    expect(await orphan.ended()).toBe(1);
  },
);
