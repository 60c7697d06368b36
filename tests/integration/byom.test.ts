import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { encode, speech, wav } from "../support/audio.ts";
import { BUILD_MS, type Ended, Program } from "../support/executable.ts";
import { S16_MONO } from "../support/peer.ts";

/** A user's own model, with the executable alone. */

let program: Program;

beforeAll(async () => {
  program = await Program.create();
  await write("speech.wav", wav(S16_MONO, encode("s16", speech([0.6, 0.8]))));
}, BUILD_MS);

afterAll(async () => {
  await program[Symbol.asyncDispose]();
});

async function write(name: string, content: string | Uint8Array): Promise<void> {
  const path = join(program.folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

function send(port: number, pattern: string): Promise<Ended> {
  const addr = `ws://127.0.0.1:${port}/api/v1/${pattern}`;
  return program.run(["send", "-i", "speech.wav", "--addr", addr, "--format", "json"]);
}

function eventsOf(text: string): ServerEvent[] {
  const lines = text.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as ServerEvent);
}

/** Returns the source of a model whose result is the expression `answer`, after the statements of `head`. */
function model(head: string, answer: string): string {
  return `${head}\nexport default { name: "tried", load: () => ({ infer: () => ({ answer: ${answer} }) }) };\n`;
}

describe("four commands lead from an empty folder to results", () => {
  for (const [name, flags, pattern] of [
    ["my-model", [], "segmented"],
    ["my-stream", ["--stateful"], "stateful"],
  ] as const) {
    test(`init, check, serve, send: ${name}`, async () => {
      const init = await program.run(["model", "init", name, ...flags]);
      expect(init).toMatchObject({ code: 0, err: "" });
      expect(init.out).toContain(`model check ./${name}.ts\n`);

      const check = await program.run(["model", "check", `./${name}.ts`, "--input", "speech.wav"]);
      expect(check).toMatchObject({ code: 0, err: "" });
      expect(check.out).toStartWith(`checking ./${name}.ts\n\nok    load `);
      expect(check.out).toMatch(/\n\d+ ok, 0 notes, 0 failed\n$/);

      const server = await program.serve({}, ["--model", `./${name}.ts`, "--workers", "1"]);
      const sent = await send(server.port, pattern);
      expect({ code: sent.code, err: sent.code === 0 ? "" : sent.err }).toEqual({ code: 0, err: "" });
      const events = eventsOf(sent.out);
      expect(events[0]).toMatchObject({ type: "started", model: name });
      const results = events.filter(({ type }) => type === "segment");
      expect(results).toHaveLength(pattern === "segmented" ? 2 : 38);
      for (const result of results) expect(result).toMatchObject({ loudness_db: expect.any(Number) });
    });
  }
});

describe("a model file", () => {
  const cases: Record<string, string> = {
    "typescript.ts": model(`const typed: number = 42;`, "typed"),
    "esm.mjs": model(`import { answer } from "tiny";`, "answer"),
    "common.cjs": `const { answer } = require("tiny");\n${model("", "answer").replace("export default", "module.exports =")}`,
    "plain.js": model(`import { answer } from "./beside.ts";`, "answer"),
    "public.ts": model(`import { type ModelModule } from "streamer/model";\nimport "streamer/model";`, "42"),
    "deep/down/packages.ts": model(
      `import { answer } from "tiny";\nimport { more } from "@scoped/typed";`,
      "answer + more",
    ),
    "native.ts": model(`import addon from "native-tiny";`, "addon.answer"),
  };

  beforeAll(async () => {
    for (const [name, text] of Object.entries(cases)) await write(name, text);
    await write("beside.ts", "export const answer: number = 42;\n");
    await write("node_modules/tiny/package.json", `{ "name": "tiny", "main": "main.js" }`);
    await write("node_modules/tiny/main.js", "exports.answer = 42;\n");
    await write(
      "node_modules/@scoped/typed/package.json",
      `{ "name": "@scoped/typed", "type": "module", "exports": "./main.ts" }`,
    );
    await write("node_modules/@scoped/typed/main.ts", "export const more: number = 0;\n");
    await write("node_modules/native-tiny/package.json", `{ "name": "native-tiny", "main": "main.js" }`);
    await write("node_modules/native-tiny/main.js", `module.exports = require("./native_tiny.node");\n`);
    await addon(join(program.folder, "node_modules", "native-tiny", "native_tiny.node"));
  });

  for (const name of Object.keys(cases)) {
    test(`${name} is served by a relative and an absolute path`, async () => {
      for (const path of [`./${name}`, join(program.folder, name)]) {
        const server = await program.serve({ "model.workers": 2 }, ["--model", path]);
        const { code, out } = await send(server.port, "simple");
        expect(code).toBe(0);
        expect(eventsOf(out).find(({ type }) => type === "segment")).toMatchObject({ answer: 42 });
        await server[Symbol.asyncDispose]();
      }
    });
  }

  test("can be one of several models, with its own settings and timeout, also from source", async () => {
    await write(
      "set.ts",
      `export default { name: "set", settings: { size: { default: 3 }, word: { default: "a" } },
        load: (settings) => ({ infer: () => ({ settings }) }) };`,
    );
    const main = join(import.meta.dir, "..", "..", "src", "main.ts");
    await write("from-source", `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    await chmod(join(program.folder, "from-source"), 0o755);
    for (const command of ["./streamer", "./from-source"]) {
      const sets = ["models.mine.name=./set.ts", "models.mine.size=5", "models.mine.load_timeout_ms=20000"];
      const flags = ["--port", "0", "--workers", "1", ...sets.flatMap((set) => ["--set", set])];
      const child = Bun.spawn([command, "serve", ...flags], {
        cwd: program.folder,
        stdout: "pipe",
        stderr: "ignore",
      });
      const [line = ""] = (await new Response(child.stdout.pipeThrough(firstLine())).text()).split("\n");
      const port = Number(/:(\d+)$/.exec(line)?.[1]);
      const addr = `ws://127.0.0.1:${port}/api/v1/simple`;
      const sent = await program.run([
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
      expect(eventsOf(sent.out).find(({ type }) => type === "segment")).toMatchObject({
        settings: { size: 5, word: "a" },
      });
    }
  });

  test("may print: its output goes to standard error, not to the server's standard output", async () => {
    await write(
      "loud.ts",
      model(
        `console.log("said log"); console.table([{ said: "table" }]); console.dir({ said: "dir" });
        console.group("said group"); process.stdout.write("said raw\\n");`,
        `(console.info("said infer"), 42)`,
      ),
    );
    const server = await program.serve({ "model.workers": 1 }, ["--model", "./loud.ts"]);
    expect((await send(server.port, "simple")).code).toBe(0);
    server.signal("SIGTERM");
    await server.ended();
    expect(server.out).toBe(`listening on http://127.0.0.1:${server.port}\n`);
    for (const said of ["said log", "table", "dir", "said group", "said raw", "said infer"]) {
      expect(server.err).toContain(said);
    }
  });
});

describe("a fault of a model file is found when the server starts: exit code 2, and one sentence", () => {
  for (const [name, text, words, sets = []] of [
    [
      "syntax.ts",
      "export default {",
      /model ".\/syntax.ts" cannot be loaded: it cannot be parsed: .*syntax.ts:1:\d+\)/,
    ],
    ["bare.ts", "export const name = 1;", /the file has no default export; it must `export default \{ name, load }`/],
    ["number.ts", "export default 5;", /the default export is not a ModelModule: found 5/],
    [
      "types.ts",
      `export default { name: 1, load() {}, sampleRate: "16k", maxBatch: 0 };`,
      /name: found 1; allowed: a string; sampleRate: found "16k"; allowed: an integer .*; maxBatch: found 0/,
    ],
    ["top.ts", `throw new Error("no luck"); export default 1;`, /its import throws an error: no luck/],
    [
      "throws.ts",
      `export default { name: "t", load() { throw new Error("no weights"); } };`,
      /load\(\) failed: no weights \(.*throws.ts:1:\d+\)/,
    ],
    [
      "rejects.ts",
      `export default { name: "t", load: async () => { throw new Error("no weights"); } };`,
      /load\(\) failed: no weights/,
    ],
    ["nothing.ts", `export default { name: "t", load() {} };`, /load\(\) must return a model, not undefined/],
    ["empty.ts", `export default { name: "t", load: () => ({}) };`, /a model needs a function infer\(\)/],
    [
      "package.ts",
      `import missing from "not-installed/deep"; export default missing;`,
      /Cannot find package 'not-installed.*\(`npm install not-installed` in its folder installs it\)/,
    ],
    ["beside-not.ts", `import missing from "./gone.ts"; export default missing;`, /Cannot find module '.\/gone.ts'/],
    ["exits.ts", `process.exit(4);`, /the thread ended with exit code 4 before it was ready/],
    [
      "refuses.ts",
      `export default { name: "t", validate: () => ["size: too large"], load: () => ({ infer: () => ({}) }) };`,
      /its settings are refused: size: too large/,
    ],
    [
      "knows.ts",
      `export default { name: "t", settings: { size: { default: 1 } }, load: () => ({ infer: () => ({}) }) };`,
      /its settings are refused: unknown setting "siz"; did you mean "size"\?/,
      ["model.siz=1"],
    ],
    [
      "loops.ts",
      `for (;;);`,
      /it was not loaded and warm within 300 ms \(load_timeout_ms\)/,
      ["model.load_timeout_ms=300"],
    ],
    ["waits.ts", `await new Promise(() => {});`, /not loaded and warm within 300 ms/, ["model.load_timeout_ms=300"]],
    ["cold.ts", model("", "(await undefined)"), /cold.ts" cannot be loaded/],
    ["", "", /model: name: ".\/": it is not a file/],
  ] as [string, string, RegExp, string[]?][]) {
    test(`${name}: ${words.source}`, async () => {
      if (name !== "") await write(name, text);
      const flags = ["--model", `./${name}`, "--workers", "1", ...sets.flatMap((set) => ["--set", set])];
      const { code, out, err } = await program.run(["serve", "--port", "0", ...flags]);
      expect(err).toMatch(words);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err.trim().split("\n").length).toBeLessThanOrEqual(2);
    });
  }

  test("all missing files are reported at once, with their sources", async () => {
    const { code, err } = await program.run(["serve", "--model", "./a.ts", "--set", "models.b.name=/no/b.ts"]);
    expect(code).toBe(2);
    expect(err).toContain(
      `model: name: "./a.ts": there is no such file; looked for ${join(program.folder, "a.ts")} (--model)`,
    );
    expect(err).toContain(`models.b: name: "/no/b.ts": there is no such file; looked for /no/b.ts (--set)`);
  });
});

describe("the model commands", () => {
  test("check ends with 1 when it finds a fault, and with 2 when it cannot start", async () => {
    await write("faulty.ts", `export default { name: "f", load: () => ({ infer: () => ({ level: NaN }) }) };`);
    const faulty = await program.run(["model", "check", "./faulty.ts"]);
    expect(faulty).toMatchObject({ code: 1, err: "" });
    expect(faulty.out).toMatch(/^FAIL {2}result .*"level" is NaN, which JSON cannot represent/m);
    for (const [args, words] of [
      [["./gone.ts"], "no such file"],
      [["levls"], 'did you mean "levels"?'],
      [[], "missing model"],
      [["simulated", "--set", "dely=1"], 'did you mean "delay"?'],
      [["simulated", "--input", "gone.wav"], "gone.wav: no such file"],
      [["simulated", "--input", "faulty.ts"], "not a supported WAV file"],
      [["simulated", "twice"], "unexpected argument 'twice'"],
    ] as const) {
      const { code, out, err } = await program.run(["model", "check", ...args]);
      expect(err).toContain(words);
      expect({ code, out }).toEqual({ code: 2, out: "" });
    }
  });

  test("check accepts built-in models and their settings, and reports a timeout", async () => {
    const flags = ["--set", "delay=0", "--set", "model.jitter=0", "--set", "warmup_penalty=1"];
    const good = await program.run(["model", "check", "simulated", ...flags]);
    expect(good).toMatchObject({ code: 0, err: "" });
    const hung = await program.run([
      "model",
      "check",
      "simulated",
      "--set",
      "delay=9",
      ...["--set", "inference_timeout_ms=100"],
      "--set",
      "warmup_penalty=0",
    ]);
    expect(hung.code).toBe(1);
    expect(hung.out).toContain("timeout: no result within 100 ms (inference_timeout_ms); the worker is replaced");
  });

  test("check logs a batch that fails once, and calls its jobs one by one", async () => {
    await write(
      "batch.ts",
      `export default { name: "b", maxBatch: 4, idempotent: true, load: () => ({
        infer: () => ({ answer: 42 }), inferBatch: () => { throw new Error("wrong shape"); } }) };`,
    );
    const { code, err } = await program.run(["model", "check", "./batch.ts"]);
    expect({ code, err }).toEqual({
      code: 0,
      err: "inferBatch() failed; its jobs are called one by one: Error: wrong shape\n",
    });
  });

  test("model without a command, or with an unknown one, prints help", async () => {
    expect(await program.run(["model"])).toMatchObject({ code: 2, out: expect.stringContaining("init ") });
    expect(await program.run(["model", "--help"])).toMatchObject({ code: 0 });
    expect(await program.run(["model", "chek"])).toMatchObject({
      code: 2,
      err: "streamer: unknown command 'model chek'; did you mean 'check'?\n",
    });
    expect((await program.run(["model", "check", "--help"])).out).toContain("--input");
  });

  test("init does not overwrite a file", async () => {
    await write("mine.ts", "mine");
    const { code, err } = await program.run(["model", "init", "mine"]);
    expect({ code, err }).toEqual({ code: 2, err: "streamer: ./mine.ts already exists and is not overwritten\n" });
    expect(await readdir(program.folder)).toContain("mine.ts");
  });
});

/**
 * Builds a native addon, as a package has it: `answer` is 42. The functions of Node-API are declared here, because
 * its headers may not be installed.
 */
async function addon(path: string): Promise<void> {
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
