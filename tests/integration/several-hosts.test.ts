import { describe, expect, setDefaultTimeout } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ServerEvent } from "../../src/protocol/events.ts";
import { encode, freshSeed, seeded, speech } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { ledgerProblems, onlyStream } from "../support/ledgers.ts";
import { isAlive, loggedBy } from "../support/processes.ts";
import { python } from "../support/python.ts";
import { testWith } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Models in threads, in processes and in Python, in one server. */

const executable = await sharedExecutable();
const testHere = testWith(python);
const BYTES = encode("s16", speech([0.5, 0.6, 0.4]));
const PATHS = ["simple", "segmented", "stateful"];
const MODELS = ["in-thread", "in-process", "in-python"];

function write(name: string, text: string): string {
  const path = join(executable.folder, name);
  writeFileSync(path, text);
  return path;
}

function typeScript(host: string, version: number): string {
  const output = `{ count: audio.length, host: "${host}", version: ${version}, pid: process.pid }`;
  return `export default { name: "own", load: () => ({ infer: (audio) => (${output}) }) };\n`;
}

function pythonModel(version: number): string {
  return [
    "import os",
    'name = "own"',
    'options = ["language"]',
    "class Model:",
    "    def __init__(self, settings):",
    "        pass",
    "    def infer(self, audio, call):",
    `        return {"count": len(audio), "host": "in-python", "version": ${version}, "pid": os.getpid()}`,
    "",
  ].join("\n");
}

/** Serves one model in each host. The default one is in a thread. */
async function serve(settings: Settings = {}) {
  const thread = write("thread.ts", typeScript("in-thread", 1));
  const process = write("process.ts", typeScript("in-process", 1));
  const script = write("model.py", pythonModel(1));
  const server = await executable.serve(
    {
      "log.format": "json",
      "server.admin": "127.0.0.1:0",
      "model.name": "levels",
      "model.workers": 1,
      "models.in-thread.name": thread,
      "models.in-process.name": process,
      "models.in-process.isolation": "process",
      "models.in-python.name": script,
      "models.in-python.python": python!,
      ...Object.fromEntries(MODELS.map((model) => [`models.${model}.workers`, 2])),
      ...settings,
    },
    [],
    {},
    ["setsid"],
  );
  const [ready] = await loggedBy(server, "ready");
  return { server, admin: String(ready?.["admin"]), files: { thread, process, script } };
}

/** Streams to a model, cut at random. Returns the events, after a check of the ledger. */
async function stream(server: ServeProcess, model: string, path: string, random: () => number) {
  using client = await server.connect({ path: `/api/v1/${path}` });
  client.start({ model, interim_results: true });
  for (let at = 0; at < BYTES.length;) {
    const end = Math.min(BYTES.length, at + 1 + Math.floor(random() * 6_000));
    await client.sendAudio(BYTES.subarray(at, end));
    await Bun.sleep(random() * 5);
    at = end;
  }
  client.stop({ disconnect: true });
  await client.waitForClose();
  const own = onlyStream(client.events);
  expect(ledgerProblems(own, { bytes: BYTES.length, frameBytes: 2 })).toEqual([]);
  return { ...own, errors: client.eventsOf("error").map(({ code }) => code) };
}

function answers(events: readonly ServerEvent[], field: string): unknown[] {
  const segments = events.filter(({ type }) => type === "segment") as unknown as Record<string, unknown>[];
  return [...new Set(segments.map((event) => event[field]))];
}

/** The processes that a server has started. */
function children(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
      return text === "" ? [] : text.split(" ").map(Number);
    } catch {
      // The thread has ended meanwhile.
      return [];
    }
  });
}

describe("one server with a model in a thread, one in a process and one in Python", () => {
  const seed = freshSeed();
  testHere(`answers streams of all of them at once, each with an exact ledger (seed ${seed})`, async () => {
    const random = seeded(seed);
    const { server } = await serve();
    const { models } = (await (await fetch(`${server.url}/api/v1/info`)).json()) as { models: { name: string }[] };
    expect(models).toMatchObject([
      { name: "levels", own_name: "levels" },
      ...MODELS.map((name) => ({
        name,
        own_name: "own",
        patterns: ["simple", "stateful", "segmented"],
        generation: 1,
      })),
    ]);
    expect(models.at(-1)).toMatchObject({ options: ["language"] });
    using refused = await server.connect();
    refused.start({ model: "in-python", options: { languag: "en" } });
    expect(await refused.nextEvent("error")).toMatchObject({ code: "invalid_request", param: "options.languag" });
    refused.sendClose();
    const streams = MODELS.flatMap((model) => PATHS.map((path) => ({ model, path })));
    const pids = new Map<string, unknown[]>();
    await Promise.all(
      streams.map(async ({ model, path }) => {
        const { events, errors } = await stream(server, model, path, random);
        expect(errors).toEqual([]);
        expect(answers(events, "host")).toEqual([model]);
        pids.set(model, [...(pids.get(model) ?? []), ...answers(events, "pid")]);
      }),
    );
    expect([...new Set(pids.get("in-thread"))]).toEqual([server.pid]);
    for (const model of ["in-process", "in-python"]) expect(pids.get(model)).not.toContain(server.pid);
    const processes = children(server.pid);
    expect(processes).toHaveLength(4);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(processes.filter(isAlive)).toEqual([]);
  });

  testHere(
    `goes on with the others when the processes of some are killed, and replaces those (seed ${seed})`,
    async () => {
      const random = seeded(seed + 1);
      const { server } = await serve();
      let isOver = false;
      const load = MODELS.map(async (model, i) => {
        const errors: string[] = [];
        for (let n = 0; !isOver; n++) errors.push(...(await stream(server, model, PATHS[(i + n) % 3]!, random)).errors);
        return errors;
      });
      for (let round = 0; round < 4; round++) {
        const before = children(server.pid);
        process.kill(before[Math.floor(random() * before.length)]!, "SIGKILL");
        await waitUntil("another process", () => {
          const now = children(server.pid);
          return now.length === 4 && now.some((pid) => !before.includes(pid));
        });
        // Its model is ready again, so that the next one is not the end of all of its workers.
        for (const model of MODELS) await stream(server, model, "simple", random);
      }
      isOver = true;
      const [inThread, ...others] = await Promise.all(load);
      expect(inThread).toEqual([]);
      expect([...new Set(others.flat())].filter((code) => code !== "worker_crashed")).toEqual([]);
      await server[Symbol.asyncDispose]();
    },
  );

  testHere("reloads all of them at once, and a broken one alone keeps its generation", async () => {
    const { server, admin, files } = await serve();
    writeFileSync(files.thread, typeScript("in-thread", 2));
    writeFileSync(files.process, typeScript("in-process", 2));
    writeFileSync(files.script, "def broken(:\n");
    const response = await fetch(`${admin}/api/v1/reload`, { method: "POST" });
    expect(response.status).toBe(422);
    const { models } = (await response.json()) as { models: { reason?: string }[] };
    expect(models).toMatchObject([
      { model: "in-thread", result: "loaded", generation: 2 },
      { model: "in-process", result: "loaded", generation: 2 },
      { model: "in-python", result: "failed", generation: 1 },
    ]);
    expect(models[2]?.reason).toContain("model.py");
    const versions = async () =>
      await Promise.all(
        MODELS.map(async (model) => answers((await stream(server, model, "simple", Math.random)).events, "version")),
      );
    expect(await versions()).toEqual([[2], [2], [1]]);
    writeFileSync(files.script, pythonModel(3));
    expect((await fetch(`${admin}/api/v1/reload?model=in-python`, { method: "POST" })).status).toBe(200);
    expect(await versions()).toEqual([[2], [2], [3]]);
    await waitUntil("the processes of earlier generations to end", () => children(server.pid).length === 4);
    await server[Symbol.asyncDispose]();
  });
});
