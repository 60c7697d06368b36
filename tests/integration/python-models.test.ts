import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { encode, freshSeed, seeded, speech } from "../support/audio.ts";
import { Executable, type ServeProcess } from "../support/executable.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { isAlive } from "../support/processes.ts";
import { python, pythonModel } from "../support/python.ts";
import { testWith } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";
import { FORMAT } from "../support/wire.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Model files in Python, with the executable alone. */

const testHere = testWith(python);
const executable = await Executable.create();
afterAll(() => executable[Symbol.asyncDispose]());

const FLOATS = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
const BLOCK = 320;

async function serve(model: string, settings: Record<string, string | number> = {}): Promise<ServeProcess> {
  return await executable.serve({ "model.python": python!, "model.workers": 1, ...settings }, ["--model", model]);
}

function write(name: string, text: string): string {
  const path = join(executable.folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** Process IDs of the children of a server. */
function childrenOf(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  return tasks.flatMap((task) => {
    const path = `/proc/${pid}/task/${task}/children`;
    return readFileSync(path, "utf8").trim().split(" ").filter(Boolean).map(Number);
  });
}

/** Sends one block for each order, whose first sample it is, and returns the results by their blocks. */
async function send(server: ServeProcess, orders: readonly number[]) {
  using client = await server.connect({ path: "/api/v1/simple" });
  const samples = new Float32Array(orders.length * BLOCK);
  orders.forEach((order, i) => (samples[i * BLOCK] = order));
  await client.sendStream(new Uint8Array(samples.buffer), { format: FLOATS });
  expectExactLedger(client.events, { bytes: 4 * samples.length, frameBytes: 4 });
  const block = (seconds: number): number => Math.round((seconds * 16_000) / BLOCK);
  return {
    errors: client.eventsOf("error").map(({ code, start_time = -1 }) => [block(start_time), code] as const),
    results: client.eventsOf("segment").map(({ start_time }) => block(start_time)),
    pids: client.eventsOf("segment").map((event) => (event as { pid?: unknown }).pid),
  };
}

describe("a model in Python", () => {
  const seed = freshSeed();
  for (const [pattern, name] of [
    ["simple", "measuring"],
    ["segmented", "measuring"],
    ["stateful", "summing"],
  ] as const) {
    testHere(
      `gives the same finals and the same ledger for any cut and pace of /${pattern} (seed ${seed})`,
      async () => {
        await using server = await serve(pythonModel(name), { "model.workers": 2 });
        const random = seeded(seed);
        const bytes = encode("s16", speech([0.6, 0.8, 0.4]));
        const played = async (size: () => number, pause: () => number): Promise<unknown[]> => {
          using client = await server.connect({ path: `/api/v1/${pattern}` });
          client.start({ format: FORMAT });
          for (let at = 0; at < bytes.length;) {
            const end = Math.min(bytes.length, at + size());
            await client.sendAudio(bytes.subarray(at, end));
            at = end;
            if (pause() > 0.8) await Bun.sleep(10 * pause());
          }
          client.stop();
          await client.nextEvent("stopped");
          expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
          expect(client.eventsOf("error")).toEqual([]);
          return chunkInvariantEvents(client.events);
        };
        const whole = await played(
          () => bytes.length,
          () => 0,
        );
        expect(JSON.stringify(whole)).toContain(pattern === "stateful" ? `"sum"` : `"power"`);
        const sizes = [() => 1 + Math.floor(random() * 40_000), () => 1 + Math.floor(random() * 999), () => 3201];
        for (const size of sizes) expect(await played(size, random)).toEqual(whole);
      },
    );
  }

  testHere("loses one span by each death of its process, and by each call that does not return", async () => {
    await using server = await serve(pythonModel("mortal"), {
      "model.workers": 2,
      // Far longer than a call that does not hang takes, even on a busy machine.
      "model.inference_timeout_ms": 3_000,
      "simple.block_ms": 20,
    });
    const { errors, results } = await send(server, [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 7, 0]);
    expect(errors).toEqual([
      [1, "worker_crashed"],
      [3, "worker_crashed"],
      [5, "worker_crashed"],
      [7, "worker_crashed"],
      [9, "inference_failed"],
      [11, "inference_timeout"],
      [12, "inference_timeout"],
    ]);
    expect(results).toEqual([0, 2, 4, 6, 8, 10, 13]);
    // The processes that hang are gone, and each that is there works.
    await waitUntil("two workers", () => childrenOf(server.pid).length === 2);
    expect((await send(server, [0, 0])).errors).toEqual([]);
    // The traceback of native code that crashes is in the log.
    const lines = server.log.filter(({ event }) => event === "model_output").map(({ text }) => String(text));
    expect(lines.join("\n")).toMatch(/Fatal Python error: Segmentation fault[\s\S]*mortal\.py", line \d+ in <lambda>/);
    expect(server.log.find(({ event }) => event === "inference_failed")).toMatchObject({
      error: "MemoryError",
      stack: expect.stringContaining("in use_memory"),
    });
  });

  testHere("whose process is killed while it waits is replaced, and costs no span", async () => {
    await using server = await serve(pythonModel("mortal"), { "simple.block_ms": 20 });
    const [child = 0] = childrenOf(server.pid);
    process.kill(child, "SIGKILL");
    await waitUntil("another worker", () => childrenOf(server.pid).some((pid) => pid !== child));
    const { errors, pids } = await send(server, [0]);
    expect(errors).toEqual([]);
    expect(pids).toEqual(childrenOf(server.pid));
  });

  for (const [what, order] of [
    ["waits", 0],
    ["runs a loop in Python", 6],
    ["is stuck in native code that holds the lock of the interpreter", 7],
  ] as const) {
    testHere(`ends with its server, also by SIGKILL, while it ${what}`, async () => {
      await using server = await serve(pythonModel("mortal"), { "simple.block_ms": 20 });
      const [child = 0] = childrenOf(server.pid);
      using client = await server.connect({ path: "/api/v1/simple" });
      client.start({ format: FLOATS });
      await client.sendAudio(
        new Uint8Array(Float32Array.from({ length: BLOCK }, (_, i) => (i === 0 ? order : 0)).buffer),
      );
      await Bun.sleep(100);
      server.signal("SIGKILL");
      await server.waitForExit();
      await waitUntil("the end of the worker", () => !isAlive(child));
    });
  }

  testHere("is closed when the server shuts down", async () => {
    const model = `name = "x"\nclass Model:\n    def infer(self, audio, call): return {}\n    def close(self): open("closed", "w")\n`;
    await using server = await serve(write("closing.py", model));
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toMatchObject({ code: 0 });
    expect(existsSync(join(executable.folder, "closed"))).toBe(true);
  });

  testHere(
    "that prints, warns and logs writes to the log of the server, and errors of calls with their tracebacks",
    async () => {
      const model = `
import logging, sys, warnings
name = "talking"
class Model:
    def __init__(self, settings): print("loaded with", settings)
    def infer(self, audio, call):
        print("no end of line", end="")
        logging.warning("logged")
        warnings.warn("warned")
        raise ValueError("bad audio")
`.replace("def infer", "def warm_up(self): pass\n    def infer");
      await using server = await serve(write("talking.py", model), { "model.depth": 3 });
      const { errors } = await send(server, [0]);
      expect(errors).toEqual([[0, "inference_failed"]]);
      const texts = (): string[] =>
        server.log.filter(({ event }) => event === "model_output").map(({ text }) => String(text));
      await waitUntil("what was logged", () => texts().some((text) => text.includes("WARNING:root:logged")));
      expect(texts()[0]).toBe("loaded with {'depth': 3}");
      expect(server.log.find(({ event }) => event === "inference_failed")).toMatchObject({
        error: "ValueError: bad audio",
        stack: expect.stringContaining('talking.py", line'),
      });
    },
  );
});

const MODEL = "class Model:\n    def infer(self, audio, call):\n        return {}\n";

describe("a server with a model in Python does not start, and gives the reason", () => {
  async function reason(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
    const { code, err } = await executable.run(["serve", "--port", "0", "--set", "model.workers=1", ...args], { env });
    expect(code).not.toBe(0);
    return err;
  }
  const path = `model.python=${python}`;

  testHere("for a syntax error: file, line and column", async () => {
    const file = write("torn.py", "name = 'x'\ndef f(:\n");
    expect(await reason(["--model", "./torn.py", "--set", path])).toContain(
      `model "./torn.py" cannot be loaded: it cannot be parsed: invalid syntax (${file}:2:7)`,
    );
  });

  testHere("for a package that is missing: the interpreter, and how to choose another one", async () => {
    write("lacking.py", "import no_such_package\n");
    const err = await reason(["--model", "./lacking.py", "--set", path]);
    expect(err).toContain("No module named 'no_such_package'");
    expect(err).toContain(`the interpreter is ${python} (Python 3.`);
    expect(err).toContain("model.python chooses another interpreter");
  });

  testHere("for names and settings that are not allowed", async () => {
    write("refused.py", `name = "x"\nmax_batch = 0\nsettings = {"floor": {"default": 1}}\n${MODEL}`);
    const args = ["--model", "./refused.py", "--set", path];
    expect(await reason(args)).toContain("max_batch: found 0; allowed: an integer from 1 to 1024");
    write("refused.py", `name = "x"\nsettings = {"floor": {"default": 1}}\n${MODEL}`);
    expect(await reason([...args, "--set", "model.flor=2"])).toContain(
      `its settings are refused: unknown setting "flor"; did you mean "floor"?`,
    );
  });

  testHere("for an interpreter that is missing, is none, or is too old", async () => {
    write("fine.py", `name = "x"\n${MODEL}`);
    const args = ["--model", "./fine.py", "--set"];
    expect(await reason([...args, "model.python=./none"])).toContain(`python: found "./none": there is no such file`);
    expect(await reason([...args, "model.python=no-python"])).toContain("which is not on the PATH");
    expect(await reason(["--model", "./fine.py"], { PATH: "/nowhere" })).toContain("there is no python3 on the PATH");
    writeFileSync(join(executable.folder, "windows"), "#!/bin/sh\r\n", { mode: 0o755 });
    expect(await reason([...args, "model.python=./windows"])).toContain(
      "which does not exist, because its lines end as on Windows",
    );
    expect(await reason([...args, "model.python=/bin/true"])).toContain(
      "the process ended with exit code 0 before it was ready (its interpreter is /bin/true)",
    );
  });

  testHere("for a file whose import ends the process, in whatever way", async () => {
    write("ending.py", "import os\nprint('so far')\nos._exit(7)");
    const err = await reason(["--model", "./ending.py", "--set", path]);
    expect(err).toContain(
      `model "./ending.py" cannot be loaded: the process ended with exit code 7 before it was ready`,
    );
    write("ending.py", "import ctypes\nctypes.string_at(0)");
    expect(await reason(["--model", "./ending.py", "--set", path])).toContain("SIGSEGV before it was ready");
    write("ending.py", "import sys\nsys.exit('no weights')");
    expect(await reason(["--model", "./ending.py", "--set", path])).toContain(
      "its import raises SystemExit: no weights",
    );
  });

  testHere("for isolation: thread", async () => {
    expect(await reason(["--model", "./fine.py", "--set", "model.isolation=thread"])).toContain(
      "model.isolation: found thread (--set); allowed for a .py file: process",
    );
  });
});

testHere(
  "a model in Python may stand in a folder with spaces, behind a link, and beside an environment of its own",
  async () => {
    const prefix = `import sys, neighbour\nname = neighbour.name\n${MODEL.replace("{}", `{"prefix": sys.prefix}`)}`;
    const file = write("a folder/own.py", prefix);
    write("a folder/neighbour.py", `name = "x"\n`);
    const venv = join(executable.folder, "a folder", ".venv");
    expect(Bun.spawnSync([python!, "-m", "venv", "--without-pip", venv]).exitCode).toBe(0);
    symlinkSync(file, join(executable.folder, "linked.py"));
    for (const model of ["./a folder/own.py", file, "linked.py"]) {
      await using server = await serve(model, { "model.python": "auto" });
      using client = await server.connect({ path: "/api/v1/simple" });
      await client.sendStream(encode("s16", new Float32Array(16_000)), { format: FORMAT });
      expect(client.eventsOf("segment")[0]).toMatchObject({ prefix: venv });
    }
  },
);
