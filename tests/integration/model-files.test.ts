import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { encode, speech, wav } from "../support/audio.ts";
import { type CommandResult, parseEvents, sharedExecutable } from "../support/executable.ts";
import { S16_MONO } from "../support/requests.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Model files of users, with the executable alone. */

const executable = await sharedExecutable();

beforeAll(async () => {
  await write("speech.wav", wav(S16_MONO, encode("s16", speech([0.6, 0.8]))));
});

/** Writes a file in the folder of the executable. */
async function write(name: string, content: string | Uint8Array): Promise<void> {
  const path = join(executable.folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** Sends speech.wav to a server. The standard output of the result has the events, one per line. */
function send(port: number, pattern: string): Promise<CommandResult> {
  const addr = `ws://127.0.0.1:${port}/api/v1/${pattern}`;
  return executable.run(["send", "-i", "speech.wav", "--addr", addr, "--format", "json"]);
}

/** Returns the source of a model whose result is the expression `answer`, after the statements of `head`. */
function model(head: string, answer: string): string {
  return `${head}\nexport default { name: "tried", load: () => ({ infer: () => ({ answer: ${answer} }) }) };\n`;
}

describe("model init, model check, serve and send work one after the other in an empty folder", () => {
  for (const [name, flags, pattern] of [
    ["my-model", [], "segmented"],
    ["my-stream", ["--stateful"], "stateful"],
  ] as const) {
    test(`for ${name}, a model for the pattern ${pattern}`, async () => {
      const init = await executable.run(["model", "init", name, ...flags]);
      expect(init).toMatchObject({ code: 0, err: "" });
      expect(init.out).toContain(`model check ./${name}.ts\n`);

      const check = await executable.run(["model", "check", `./${name}.ts`, "--input", "speech.wav"]);
      expect(check).toMatchObject({ code: 0, err: "" });
      expect(check.out).toStartWith(`checking ./${name}.ts\n\nok    load `);
      expect(check.out).toMatch(/\n\d+ ok, 0 notes, 0 failed\n$/);

      const server = await executable.serve({}, ["--model", `./${name}.ts`, "--workers", "1"]);
      const sent = await send(server.port, pattern);
      expect({ code: sent.code, err: sent.code === 0 ? "" : sent.err }).toEqual({ code: 0, err: "" });
      const events = parseEvents(sent.out);
      expect(events[0]).toMatchObject({ type: "started", model: name });
      const results = events.filter(({ type }) => type === "segment");
      expect(results).toHaveLength(pattern === "segmented" ? 2 : 38);
      for (const result of results) expect(result).toMatchObject({ loudness_db: expect.any(Number) });
    });
  }
});

describe("a model file", () => {
  const files: Record<string, string> = {
    "typescript.ts": model(`const typed: number = 42;`, "typed"),
    "esm.mjs": model(`import { answer } from "tiny";`, "answer"),
    "common.cjs": `const { answer } = require("tiny");\n${model("", "answer").replace("export default", "module.exports =")}`,
    "plain.js": model(`import { answer } from "./neighbour.ts";`, "answer"),
    "public.ts": model(`import { type ModelModule } from "streamer/model";\nimport "streamer/model";`, "42"),
    "deep/down/packages.ts": model(
      `import { answer } from "tiny";\nimport { more } from "@scoped/typed";`,
      "answer + more",
    ),
    "native.ts": model(`import addon from "native-tiny";`, "addon.answer"),
  };

  beforeAll(async () => {
    for (const [name, text] of Object.entries(files)) await write(name, text);
    await write("neighbour.ts", "export const answer: number = 42;\n");
    await write("node_modules/tiny/package.json", `{ "name": "tiny", "main": "main.js" }`);
    await write("node_modules/tiny/main.js", "exports.answer = 42;\n");
    await write(
      "node_modules/@scoped/typed/package.json",
      `{ "name": "@scoped/typed", "type": "module", "exports": "./main.ts" }`,
    );
    await write("node_modules/@scoped/typed/main.ts", "export const more: number = 0;\n");
    await write("node_modules/native-tiny/package.json", `{ "name": "native-tiny", "main": "main.js" }`);
    await write("node_modules/native-tiny/main.js", `module.exports = require("./native_tiny.node");\n`);
    await buildAddon(join(executable.folder, "node_modules", "native-tiny", "native_tiny.node"));
  });

  for (const name of Object.keys(files)) {
    test(`${name} can be given by a relative and by an absolute path`, async () => {
      for (const path of [`./${name}`, join(executable.folder, name)]) {
        const server = await executable.serve({ "model.workers": 2 }, ["--model", path]);
        const { code, out } = await send(server.port, "simple");
        expect(code).toBe(0);
        expect(parseEvents(out).find(({ type }) => type === "segment")).toMatchObject({ answer: 42 });
        await server[Symbol.asyncDispose]();
      }
    });
  }

  test("can be one of several models, with its own settings and time-out, in the executable and from source", async () => {
    await write(
      "set.ts",
      `export default { name: "set", settings: { size: { default: 3 }, word: { default: "a" } },
        load: (settings) => ({ infer: () => ({ settings }) }) };`,
    );
    const main = join(import.meta.dir, "..", "..", "src", "main.ts");
    await write("from-source", `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    await chmod(join(executable.folder, "from-source"), 0o755);
    for (const command of ["./streamer", "./from-source"]) {
      const sets = ["models.mine.name=./set.ts", "models.mine.size=5", "models.mine.load_timeout_ms=20000"];
      const flags = ["--port", "0", "--workers", "1", ...sets.flatMap((set) => ["--set", set])];
      const child = Bun.spawn([command, "serve", ...flags], {
        cwd: executable.folder,
        stdout: "pipe",
        stderr: "ignore",
      });
      const [line = ""] = (await new Response(child.stdout.pipeThrough(firstLine())).text()).split("\n");
      const port = Number(/:(\d+)$/.exec(line)?.[1]);
      const addr = `ws://127.0.0.1:${port}/api/v1/simple`;
      const sent = await executable.run([
        "send",
        "-i",
        "speech.wav",
        "--addr",
        addr,
        "--format",
        "json",
        "--set",
        "model=mine",
      ]);
      child.kill();
      await child.exited;
      expect(parseEvents(sent.out).find(({ type }) => type === "segment")).toMatchObject({
        settings: { size: 5, word: "a" },
      });
    }
  });

  test("that prints writes to standard error, not to the server's standard output", async () => {
    await write(
      "prints.ts",
      model(
        `console.log("from log"); console.table([{ from: "table" }]); console.dir({ from: "dir" });
        console.group("from group"); process.stdout.write("from stdout\\n");`,
        `(console.info("from infer"), 42)`,
      ),
    );
    const server = await executable.serve({ "model.workers": 1 }, ["--model", "./prints.ts"]);
    expect((await send(server.port, "simple")).code).toBe(0);
    server.signal("SIGTERM");
    await server.waitForExit();
    expect(server.out).toBe(`listening on http://127.0.0.1:${server.port}\n`);
    for (const text of ["from log", "table", "dir", "from group", "from stdout", "from infer"]) {
      expect(server.err).toContain(text);
    }
  });
});

describe("serve exits with 2 and one sentence for a model file", () => {
  const faults: readonly [fault: string, name: string, source: string, message: RegExp, sets?: string[]][] = [
    [
      "with a syntax error",
      "syntax.ts",
      "export default {",
      /model ".\/syntax.ts" cannot be loaded: it cannot be parsed: .*syntax.ts:1:\d+\)/,
    ],
    [
      "without a default export",
      "bare.ts",
      "export const name = 1;",
      /the file has no default export; it must `export default \{ name, load }`/,
    ],
    [
      "that exports a number",
      "number.ts",
      "export default 5;",
      /the default export is not a ModelModule: found 5 \(.*\/number.ts:1:1\)/,
    ],
    [
      "with fields of wrong types",
      "types.ts",
      `export default { name: 1, load() {}, sampleRate: "16k", maxBatch: 0 };`,
      /name: found 1; allowed: a string that is not blank; sampleRate: found "16k"; allowed: an integer .*; maxBatch: found 0/,
    ],
    [
      "that throws when it is imported",
      "top.ts",
      `throw new Error("no luck"); export default 1;`,
      /its import throws an error: no luck \(.*\/top.ts:1:\d+\)/,
    ],
    [
      "whose load throws",
      "throws.ts",
      `export default { name: "t", load() { throw new Error("no weights"); } };`,
      /load\(\) failed: no weights \(.*throws.ts:1:\d+\)/,
    ],
    [
      "whose load rejects",
      "rejects.ts",
      `export default { name: "t", load: async () => { throw new Error("no weights"); } };`,
      /load\(\) failed: no weights/,
    ],
    [
      "whose load returns nothing",
      "nothing.ts",
      `export default { name: "t", load() {} };`,
      /load\(\) must return a model, not undefined \(.*\/nothing.ts:1:1\)/,
    ],
    [
      "whose model has no infer",
      "empty.ts",
      `export default { name: "t", load: () => ({}) };`,
      /a model needs a function infer\(\)/,
    ],
    [
      "that imports a package that is not installed",
      "package.ts",
      `import missing from "not-installed/deep"; export default missing;`,
      /Cannot find package 'not-installed.*\(`npm install not-installed` in its folder installs it\)/,
    ],
    [
      "that imports a missing file",
      "imports.ts",
      `import missing from "./gone.ts"; export default missing;`,
      /Cannot find module '.\/gone.ts' .*\(.*\/imports.ts:1:21\)/,
    ],
    ["that exits", "exits.ts", `process.exit(4);`, /the thread ended with exit code 4 before it was ready/],
    [
      "that refuses its settings",
      "refuses.ts",
      `export default { name: "t", validate: () => ["size: too large"], load: () => ({ infer: () => ({}) }) };`,
      /its settings are refused: size: too large/,
    ],
    [
      "and a setting that it does not declare",
      "declares.ts",
      `export default { name: "t", settings: { size: { default: 1 } }, load: () => ({ infer: () => ({}) }) };`,
      /its settings are refused: unknown setting "siz"; did you mean "size"\?/,
      ["model.siz=1"],
    ],
    [
      "that never returns from its import",
      "loops.ts",
      `for (;;);`,
      /it was not loaded and warm within 300 ms \(load_timeout_ms\)/,
      ["model.load_timeout_ms=300"],
    ],
    [
      "that waits for ever in its import",
      "waits.ts",
      `await new Promise(() => {});`,
      /not loaded and warm within 300 ms/,
      ["model.load_timeout_ms=300"],
    ],
    ["with a syntax error in infer", "cold.ts", model("", "(await undefined)"), /cold.ts" cannot be loaded/],
    ["that is a folder", "", "", /model: name: ".\/": it is not a file/],
  ];

  for (const [fault, name, source, message, sets = []] of faults) {
    test(fault, async () => {
      if (name !== "") await write(name, source);
      const flags = ["--model", `./${name}`, "--workers", "1", ...sets.flatMap((set) => ["--set", set])];
      const { code, out, err } = await executable.run(["serve", "--port", "0", ...flags]);
      expect(err).toMatch(message);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      const lines = err.trim().split("\n");
      // A list of errors stands below the sentence.
      expect(lines.filter((line) => !line.startsWith("  ")).length).toBeLessThanOrEqual(1);
    });
  }

  test("that is missing; all missing files are named at once, with the sources of their settings", async () => {
    const { code, err } = await executable.run(["serve", "--model", "./a.ts", "--set", "models.b.name=/no/b.ts"]);
    expect(code).toBe(2);
    expect(err).toContain(
      `model: name: "./a.ts": there is no such file; looked for ${join(executable.folder, "a.ts")} (--model)`,
    );
    expect(err).toContain(`models.b: name: "/no/b.ts": there is no such file; looked for /no/b.ts (--set)`);
  });
});

test("several syntax errors of a model file are listed with file, line and column by serve, check and the log", async () => {
  const broken = "let a = 1;\nlet a = 2;\nlet a = 3;\n";
  await write("several.ts", broken);
  const lines = [2, 3].map((line) => `  "a" has already been declared (${executable.folder}/several.ts:${line}:5)\n`);
  const list = `model "./several.ts" cannot be loaded: it has 2 errors:\n${lines.join("")}`;
  const served = await executable.run(["serve", "--port", "0", "--model", "./several.ts"]);
  expect(served).toEqual({ code: 2, out: "", err: `streamer: ${list}` });
  const checked = await executable.run(["model", "check", "./several.ts"]);
  expect(checked).toMatchObject({ code: 1, err: "" });
  expect(checked.out).toContain(list);

  await write("lazy.ts", `export default { name: "t", load: () => import("./several.ts") };`);
  const lazy = await executable.run(["serve", "--port", "0", "--model", "./lazy.ts"]);
  expect(lazy.err).toContain(`cannot be loaded: load() failed: it has 2 errors:\n${lines.join("")}`);

  // A replacement loads the file that is there now: the worker of the first good one exits during its first call.
  await write("replaced.ts", model("let calls = 0;", "calls++ > 0 ? process.exit(1) : 1"));
  const server = await executable.serve({ "model.workers": 1 }, ["--model", "./replaced.ts"]);
  await write("replaced.ts", broken);
  await send(server.port, "simple");
  const failed = server.log.find(({ event }) => event === "load_failed");
  for (const line of [2, 3]) expect(failed?.["cause"]).toContain(`replaced.ts:${line}:5`);
});

describe("the model commands", () => {
  test("without their argument are refused in a sentence that shows it", async () => {
    for (const [command, sentence] of [
      ["check", "streamer: missing model: for example, model check ./my-model.ts\n"],
      ["init", "streamer: missing name: for example, model init my-model\n"],
    ] as const) {
      expect(await executable.run(["model", command])).toEqual({ code: 2, out: "", err: sentence });
    }
  });

  test("check exits with 1 when it finds a fault, and with 2 when it cannot start", async () => {
    await write("faulty.ts", `export default { name: "f", load: () => ({ infer: () => ({ level: NaN }) }) };`);
    const faulty = await executable.run(["model", "check", "./faulty.ts"]);
    expect(faulty).toMatchObject({ code: 1, err: "" });
    expect(faulty.out).toMatch(/^FAIL {2}result .*"level" is NaN, which JSON cannot represent/m);
    for (const [args, words] of [
      [["./missing.ts"], "no such file"],
      [["levls"], 'did you mean "levels"?'],
      [[], "missing model"],
      [["simulated", "--set", "dely=1"], 'did you mean "delay"?'],
      [["simulated", "--input", "missing.wav"], "missing.wav: no such file"],
      [["simulated", "--input", "faulty.ts"], "not a supported WAV file"],
      [["simulated", "twice"], "unexpected argument 'twice'"],
    ] as const) {
      const { code, out, err } = await executable.run(["model", "check", ...args]);
      expect(err).toContain(words);
      expect({ code, out }).toEqual({ code: 2, out: "" });
    }
  });

  test("check accepts built-in models and their settings, and reports a call that takes too long", async () => {
    const flags = ["--set", "delay=0", "--set", "model.jitter=0", "--set", "warmup_penalty=1"];
    const good = await executable.run(["model", "check", "simulated", ...flags]);
    expect(good).toMatchObject({ code: 0, err: "" });
    const slow = await executable.run([
      "model",
      "check",
      "simulated",
      "--set",
      "delay=9",
      ...["--set", "inference_timeout_ms=100"],
      "--set",
      "warmup_penalty=0",
    ]);
    expect(slow.code).toBe(1);
    expect(slow.out).toContain("timeout: no result within 100 ms (inference_timeout_ms); the worker is replaced");
  });

  test("check calls the jobs of a failed batch one by one, and logs the failure once", async () => {
    await write(
      "batch.ts",
      `export default { name: "b", maxBatch: 4, idempotent: true, load: () => ({
        infer: () => ({ answer: 42 }), inferBatch: () => { throw new Error("wrong shape"); } }) };`,
    );
    const { code, err } = await executable.run(["model", "check", "./batch.ts"]);
    expect({ code, err }).toEqual({
      code: 0,
      err: "inferBatch() failed; its jobs are called one by one: Error: wrong shape\n",
    });
  });

  test("model without a command, or with an unknown one, prints help", async () => {
    expect(await executable.run(["model"])).toMatchObject({ code: 2, out: expect.stringContaining("init ") });
    expect(await executable.run(["model", "--help"])).toMatchObject({ code: 0 });
    expect(await executable.run(["model", "chek"])).toMatchObject({
      code: 2,
      err: "streamer: unknown command 'model chek'; did you mean 'check'?\n",
    });
    expect((await executable.run(["model", "check", "--help"])).out).toContain("--input");
  });

  test("init does not overwrite a file", async () => {
    await write("mine.ts", "mine");
    const { code, err } = await executable.run(["model", "init", "mine"]);
    expect({ code, err }).toEqual({ code: 2, err: "streamer: ./mine.ts already exists and is not overwritten\n" });
    expect(await readdir(executable.folder)).toContain("mine.ts");
  });
});

/**
 * Builds a native addon whose export `answer` is 42. Its source declares the functions of Node-API, because the headers
 * may not be installed.
 */
async function buildAddon(path: string): Promise<void> {
  const source = `
    #include <stdint.h>
    int napi_create_int32(void *env, int32_t value, void **result);
    int napi_set_named_property(void *env, void *object, const char *name, void *value);
    void *napi_register_module_v1(void *env, void *exports) {
      void *answer;
      napi_create_int32(env, 42, &answer);
      napi_set_named_property(env, exports, "answer", answer);
      return exports;
    }`;
  const child = Bun.spawn(["cc", "-shared", "-fPIC", "-o", path, "-x", "c", "-"], { stdin: Buffer.from(source) });
  expect(await child.exited).toBe(0);
}

/** Returns a stream that ends after its first line. */
function firstLine(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(bytes, controller) {
      controller.enqueue(bytes);
      if (bytes.includes(10)) controller.terminate();
    },
  });
}
